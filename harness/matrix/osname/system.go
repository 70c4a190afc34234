package osname

import (
	"fmt"
	"slices"
	"strings"
)

// System is one product of an operating system, with what a tester expects of it. A field is
// empty where nothing could be established. Nothing is judged by it: what counts is what the
// image itself says.
type System struct {
	ID      string `json:"name"` // the Record's ID, a hyphen and more; lower case
	OS      string `json:"os"`   // ID of its Record
	English string `json:"en"`
	Chinese string `json:"zh"`
	// Release is ID in /etc/os-release as the system writes it, and Version how VERSION_ID
	// begins there.
	Release string `json:"osReleaseID,omitempty"`
	Version string `json:"osReleaseVersion,omitempty"`
	// Base is the system that it is made of.
	Base string `json:"base,omitempty"`
	// Kernels are the upstream series of its kernels, the oldest first.
	Kernels []string `json:"kernels,omitempty"`
	// Packages is "deb" or "rpm".
	Packages string `json:"packages,omitempty"`
	// Traps are what misleads a tester of this system.
	Traps []Text `json:"traps,omitempty"`
}

// Text is a sentence in both languages.
type Text struct {
	English string `json:"en"`
	Chinese string `json:"zh"`
}

// Traps that several systems have.
var (
	oldWorld = Text{"on LoongArch it is of the old world (ABI 1.0), where programs of the Go project die at once: give an agent that its own Go compiled (--guest-agent, guestAgent)",
		"LoongArch 版属于旧世界（ABI 1.0），Go 官方编译的程序在其上会立即终止：请给出用它自带的 Go 编译的代理（--guest-agent、guestAgent）"}
	oneVersion = Text{"every service pack has the same VERSION_ID; VERSION has its code name",
		"各 SP 的 VERSION_ID 都相同；VERSION 中有其代号"}
	editions = Text{"the editions a, c and e are of different origin, with kernels of their own, and have the same ID and VERSION_ID; /etc/os-version tells them apart",
		"a、c、e 各版来源不同，内核也各不相同，而 ID 和 VERSION_ID 一样；/etc/os-version 可以区分"}
	noCloneThree = Text{"kernels before 5.3 have no clone3: its claims do not apply",
		"5.3 之前的内核没有 clone3：有关断言不适用"}
)

// Systems returns every product, sorted by ID. The facts are from /etc/os-release and uname of
// installed systems that their users published, and from openEuler's list of certified kernels.
func Systems() []System {
	return []System{
		{ID: "anolis-8", OS: "anolis", English: "Anolis OS 8", Chinese: "龙蜥 Anolis OS 8", Release: "anolis", Version: "8",
			Kernels: []string{"4.19", "5.10"}, Packages: "rpm", Traps: []Text{oldWorld, noCloneThree}},
		{ID: "anolis-23", OS: "anolis", English: "Anolis OS 23", Chinese: "龙蜥 Anolis OS 23", Release: "anolis", Version: "23",
			Kernels: []string{"5.10", "6.6"}, Packages: "rpm"},
		{ID: "deepin-23", OS: "deepin", English: "deepin 23", Chinese: "深度 deepin 23", Release: "Deepin", Version: "23", Kernels: []string{"6.6"}, Packages: "deb",
			Traps: []Text{{"ID is Deepin or deepin, by build", "不同构建的 ID 写作 Deepin 或 deepin"}}},
		{ID: "deepin-25", OS: "deepin", English: "deepin 25", Chinese: "深度 deepin 25", Release: "deepin", Version: "25", Kernels: []string{"6.6"}, Packages: "deb"},
		{ID: "kylin-desktop-v10-sp1", OS: "kylin", English: "Kylin Desktop V10 SP1", Chinese: "银河麒麟桌面操作系统 V10 SP1", Release: "kylin", Version: "V10",
			Kernels: []string{"5.4"}, Packages: "deb", Traps: []Text{oldWorld}},
		{ID: "kylin-desktop-v11", OS: "kylin", English: "Kylin Desktop V11", Chinese: "银河麒麟桌面操作系统 V11", Release: "kylin", Version: "v11", Base: "openKylin",
			Kernels: []string{"6.6"}, Packages: "deb"},
		{ID: "kylin-server-v10-sp1", OS: "kylin", English: "Kylin Linux Advanced Server V10 SP1 (Tercel)", Chinese: "银河麒麟高级服务器操作系统 V10 SP1（Tercel）",
			Release: "kylin", Version: "V10", Base: "openEuler 20.03 LTS", Kernels: []string{"4.19"}, Packages: "rpm", Traps: []Text{oneVersion, oldWorld, noCloneThree}},
		{ID: "kylin-server-v10-sp2", OS: "kylin", English: "Kylin Linux Advanced Server V10 SP2 (Sword)", Chinese: "银河麒麟高级服务器操作系统 V10 SP2（Sword）",
			Release: "kylin", Version: "V10", Base: "openEuler 20.03 LTS", Kernels: []string{"4.19"}, Packages: "rpm", Traps: []Text{oneVersion, oldWorld, noCloneThree}},
		{ID: "kylin-server-v10-sp3", OS: "kylin", English: "Kylin Linux Advanced Server V10 SP3 (Lance)", Chinese: "银河麒麟高级服务器操作系统 V10 SP3（Lance）",
			Release: "kylin", Version: "V10", Base: "openEuler 20.03 LTS", Kernels: []string{"4.19"}, Packages: "rpm", Traps: []Text{oneVersion, oldWorld, noCloneThree}},
		{ID: "kylin-server-v11", OS: "kylin", English: "Kylin Linux Advanced Server V11 (Swan25)", Chinese: "银河麒麟高级服务器操作系统 V11（Swan25）",
			Release: "kylin", Version: "V11", Kernels: []string{"6.6"}, Packages: "rpm"},
		{ID: "kylinsec-3.4", OS: "kylinsec", English: "KylinSec 3.4", Chinese: "麒麟信安 3.4", Base: "openEuler 20.03 LTS", Kernels: []string{"4.19"}, Packages: "rpm",
			Traps: []Text{{"it is of another vendor than Kylin", "它与银河麒麟不是同一厂商"}, noCloneThree}},
		{ID: "kylinsec-3.5", OS: "kylinsec", English: "KylinSec 3.5", Chinese: "麒麟信安 3.5", Base: "openEuler 22.03 LTS", Kernels: []string{"5.10"}, Packages: "rpm"},
		{ID: "kylinsec-3.6", OS: "kylinsec", English: "KylinSec 3.6", Chinese: "麒麟信安 3.6", Base: "openEuler 24.03 LTS", Kernels: []string{"6.6"}, Packages: "rpm"},
		{ID: "loongnix-desktop-20", OS: "loongnix", English: "Loongnix 20 (DaoXiangHu)", Chinese: "龙芯 Loongnix 桌面版 20（稻香湖）", Release: "Loongnix", Version: "20",
			Kernels: []string{"4.19"}, Packages: "deb", Traps: []Text{oldWorld, noCloneThree}},
		{ID: "loongnix-server-8", OS: "loongnix", English: "Loongnix-Server 8", Chinese: "龙芯 Loongnix 服务器版 8", Release: "loongnix-server", Version: "8",
			Kernels: []string{"4.19"}, Packages: "rpm", Traps: []Text{oldWorld, noCloneThree}},
		{ID: "nfschina-desktop-4.0", OS: "nfschina", English: "NFS Desktop 4.0", Chinese: "中科方德桌面操作系统 4.0", Kernels: []string{"5.4"}, Packages: "deb",
			Traps: []Text{{"NFS is the vendor's name here, and no file system", "此处 NFS 是厂商名，不是文件系统"}}},
		{ID: "nfschina-server-4.0", OS: "nfschina", English: "NFS Server 4.0", Chinese: "中科方德服务器操作系统 4.0", Kernels: []string{"4.19"}, Packages: "rpm",
			Traps: []Text{noCloneThree}},
		{ID: "openeuler-20.03", OS: "openeuler", English: "openEuler 20.03 LTS", Chinese: "欧拉 openEuler 20.03 LTS", Release: "openEuler", Version: "20.03",
			Kernels: []string{"4.19"}, Packages: "rpm", Traps: []Text{{"on arm64 its pages have 64 KiB", "arm64 版的页大小是 64 KiB"}, noCloneThree}},
		{ID: "openeuler-22.03", OS: "openeuler", English: "openEuler 22.03 LTS", Chinese: "欧拉 openEuler 22.03 LTS", Release: "openEuler", Version: "22.03",
			Kernels: []string{"5.10"}, Packages: "rpm"},
		{ID: "openeuler-24.03", OS: "openeuler", English: "openEuler 24.03 LTS", Chinese: "欧拉 openEuler 24.03 LTS", Release: "openEuler", Version: "24.03",
			Kernels: []string{"6.6"}, Packages: "rpm"},
		{ID: "openkylin-2.0", OS: "openkylin", English: "openKylin 2.0", Chinese: "开放麒麟 openKylin 2.0", Release: "openkylin", Version: "2.0", Packages: "deb",
			Traps: []Text{{"images for boards have kernels of the boards' makers", "开发板镜像用的是板卡厂商的内核"}}},
		{ID: "uos-desktop-20", OS: "uos", English: "UOS Desktop 20", Chinese: "统信 UOS 桌面版 20", Release: "uos", Version: "20",
			Kernels: []string{"4.19"}, Packages: "deb", Traps: []Text{oldWorld, noCloneThree}},
		{ID: "uos-server-20", OS: "uos", English: "UOS Server 20", Chinese: "统信 UOS 服务器版 20", Release: "uos", Version: "20",
			Base: "Anolis OS 8, or openEuler", Kernels: []string{"4.19", "5.10"}, Packages: "rpm", Traps: []Text{editions, noCloneThree}},
	}
}

// LookupSystem finds a product by its ID, in any case.
func LookupSystem(id string) (System, bool) {
	for _, s := range Systems() {
		if s.ID == strings.ToLower(id) {
			return s, true
		}
	}
	return System{}, false
}

// Products returns the products that a name is about: one by its ID, or all of an operating
// system by any of its names. The error lists the valid names.
func Products(name string) ([]System, error) {
	if s, ok := LookupSystem(name); ok {
		return []System{s}, nil
	}
	r, err := Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("%w; or a product such as %s, which mapstack list shows", err, Systems()[len(Systems())-1].ID)
	}
	of := slices.DeleteFunc(Systems(), func(s System) bool { return s.OS != r.ID })
	if len(of) == 0 {
		return nil, fmt.Errorf("no product of %s is known, so that nothing is missing; name the image with --os-image", r.English)
	}
	return of, nil
}

// Title returns what a report calls a system, by the ID of a product or any name of an
// operating system. The error lists the valid names.
func Title(name string) (string, error) {
	if s, ok := LookupSystem(name); ok {
		return s.Title(), nil
	}
	r, err := Lookup(name)
	return r.Title(""), err
}

// Title returns the name of a product in both languages.
func (s System) Title() string { return s.English + " (" + s.Chinese + ")" }

// Variable returns the name of the environment variable that names the image of a product's
// disk, or a glob of several images.
func (s System) Variable() string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(s.ID)) + "_IMAGE"
}

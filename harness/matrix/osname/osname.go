// Package osname knows the operating systems whose kernels are certified, by the names that
// people type and by those in /etc/os-release. It is data and look-up, without I/O.
package osname

import (
	"fmt"
	"slices"
	"strings"
)

// Record is one operating system.
type Record struct {
	ID      string // as people type it, lower case
	English string
	Chinese string
	// Release lists its IDs in /etc/os-release and other spellings, in lower case.
	Release []string
}

// All returns every record, sorted by ID.
func All() []Record {
	return []Record{
		{"anolis", "Anolis OS", "龙蜥", []string{"openanolis"}},
		{"debian", "Debian", "Debian", nil},
		{"deepin", "deepin", "深度", []string{"linuxdeepin"}},
		{"kylin", "Kylin", "麒麟", []string{"neokylin", "kylinos", "kylin-server", "kylin-desktop"}},
		{"kylinsec", "KylinSec", "麒麟信安", nil},
		{"loongnix", "Loongnix", "龙芯 Loongnix", []string{"loongnix-server", "loongnix-desktop", "lns"}},
		{"nfschina", "NFSChina", "中科方德", nil},
		{"openeuler", "openEuler", "欧拉", []string{"euler", "euleros"}},
		{"openkylin", "openKylin", "开放麒麟", nil},
		{"uos", "UnionTech OS", "统信 UOS", []string{"uniontech", "uniontechos", "uniontech-os", "uos-server", "uos-desktop"}},
	}
}

// Lookup finds a record by any of its names, in any case. The error lists the
// valid ones.
func Lookup(name string) (Record, error) {
	wanted := strings.ToLower(name)
	var ids []string
	for _, r := range All() {
		if r.ID == wanted || slices.Contains(r.Release, wanted) {
			return r, nil
		}
		ids = append(ids, r.ID)
	}
	return Record{}, fmt.Errorf("unknown operating system %q; known are %s", name, strings.Join(ids, ", "))
}

// Title returns the name of a system in both languages. It adds own, the name that the
// system has for itself, if that says more.
func (r Record) Title(own string) string {
	both := r.English
	if r.Chinese != r.English {
		both += " (" + r.Chinese + ")"
	}
	if own == "" || strings.EqualFold(own, r.English) {
		return both
	}
	return both + ": " + own
}

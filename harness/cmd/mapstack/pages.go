package main

import (
	"github.com/spf13/cobra"
)

// Groups of commands in the help.
const (
	trying    = "Test kernels:"
	results   = "Read results:"
	preparing = "Prepare a run:"
	examining = "Examine this host:"
)

// description is what the help says of a command besides its own words.
type description struct {
	group    string // one of the groups above
	examples string
}

// descriptions has the group and the examples of every command.
var descriptions = map[string]description{
	"run": {trying, `  mapstack run                                        # all cells
  mapstack run --cell 'arm64-*' --skip clone          # some of them, without a suite
  mapstack run --kernel ./vmlinuz-5.10.0-60.x86_64    # a kernel of yours
  mapstack run --os-image ./kylin.qcow2 --os kylin    # the kernel of a disk image
  mapstack run --shard 1/4 --out out                  # one part; merge joins them`},
	"probe": {trying, ""}, // it has its own
	"bisect": {trying, `  mapstack bisect --good ./5.10.0-60.rpm --bad ./5.10.0-90.rpm --focus MS-010 ./kernels
  mapstack bisect --good 6.1 --bad 6.12 --focus MS-010 amd64    # packages of the archive`},
	"kill-table": {trying, `  mapstack kill-table --cell amd64-debian12-6.1
  mapstack kill-table --cell amd64-debian12-6.1 --focus mmapabi`},
	"watch": {trying, `  mapstack watch --state /var/lib/mapstack/watch.json --out /var/lib/mapstack/out
  mapstack watch --cell '*-newest' --list -o json`},
	"bench": {trying, `  mapstack bench load --target native --target ssh://user@board`},
	"verdict": {results, `  mapstack verdict                                    # the run that ended last
  mapstack verdict out/20260131-235959/report.json
  mapstack verdict out/20260131-235959 -o json`},
	"diff": {results, `  mapstack diff out/20260131-235959 out/latest
  mapstack diff out/latest@amd64-debian12-6.1 out/latest@amd64-debian13-6.12`},
	"flakes": {results, `  mapstack flakes out/20260131-235959 out/20260201-120000
  mapstack flakes out/2026* --markdown`},
	"export": {results, `  mapstack export out/latest --format markdown
  mapstack export out/latest --format kcidb --origin example
  mapstack export out/* --format compatibility --out page`},
	"merge": {results, `  mapstack merge out/*`},
	"explain": {results, `  mapstack explain MS-010
  mapstack explain clone
  mapstack explain stack-read-only`},
	"claims": {results, `  mapstack claims article out/latest`},
	"certify": {results, `  mapstack certify out/latest --vendor vendor.yaml --key key.pem
  mapstack certify --check --vendor vendor.yaml`},
	"verify": {results, `  mapstack verify certificate.json out/latest --key key.pub`},
	"list": {preparing, `  mapstack list
  mapstack list claims -o json
  mapstack list --os kylin`},
	"init": {preparing, `  mapstack init`},
	"fetch": {preparing, `  mapstack fetch --arch loong64
  mapstack fetch --list -o json`},
	"doctor": {preparing, `  mapstack doctor
  mapstack doctor --cell lean`},
	"bundle": {preparing, `  mapstack bundle --arch arm64 --output mapstack-arm64`},
	"cache": {preparing, `  mapstack cache
  mapstack cache prune --to 8GiB`},
	"diagnose": {examining, `  mapstack diagnose -- ./server
  mapstack diagnose --pid 412
  mapstack diagnose --from crash.log`},
	"stage0": {examining, `  mapstack stage0 make sw64 stage0.sw64
  qemu-sw64 -cpu core3 stage0.sw64 | mapstack stage0 read sw64`},
}

// describe sorts the commands into groups, gives them their examples, and adds the pages that are
// about no command.
func describe(root *cobra.Command) {
	for _, title := range []string{trying, results, preparing, examining} {
		root.AddGroup(&cobra.Group{ID: title, Title: title})
	}
	for _, c := range root.Commands() {
		d := descriptions[c.Name()]
		c.GroupID = d.group
		if d.examples != "" {
			c.Example = d.examples
		}
	}
	root.AddCommand(
		&cobra.Command{Use: "environment", Short: environmentShort, Long: environmentPage},
		&cobra.Command{Use: "exit-status", Short: exitStatusShort, Long: exitStatusPage})
}

// Words of the pages that are about no command. Each has its Chinese in the catalogue.
const (
	environmentShort = "Variables of the environment that mapstack reads"
	environmentPage  = `mapstack reads these variables of the environment. A flag takes precedence.

Downloads and the cache:
  MAPSTACK_MIRROR             URL of a Debian mirror: the folder that holds dists/ and pool/; http, https or file
                              (default: that of apt's configuration, with its proxy and passwords)
  MAPSTACK_OFFLINE            1 forbids every download, as --offline does
  MAPSTACK_SNAPSHOT           URL of a second mirror, which is asked for packages that the first no longer has
  MAPSTACK_CHECK_VALID_UNTIL  "no" accepts an expired archive index (default: as apt's configuration says)
  MAPSTACK_ACCEPT_OLDER       "yes" accepts an archive index that is older than one seen before
  MAPSTACK_CACHE_LIMIT        size of the cache above which a run removes old entries (default: 24GiB)
  XDG_CACHE_HOME              the cache is in $XDG_CACHE_HOME/mapstack (default: ~/.cache/mapstack)
  HTTP_PROXY, HTTPS_PROXY     proxies of downloads; NO_PROXY lists hosts that are asked without one

What is tested:
  SW64_KERNEL, SW64_QEMU ...  parts that no archive has; mapstack doctor --arch sw64 lists them, --supply overrides them
  ARM64_QEMU_USER ...         command of a user-mode emulator, for --target user
  KYLIN_SERVER_V11_IMAGE ...  image of a product of an operating system; mapstack list --os kylin names them

Shards of a run, for --shard auto:
  CI_NODE_INDEX, CI_NODE_TOTAL                          GitLab, from 1
  BUILDKITE_PARALLEL_JOB, BUILDKITE_PARALLEL_JOB_COUNT  Buildkite, from 0
  JOB_COMPLETION_INDEX                                  Kubernetes, from 0; give --shard auto/N

What is shown:
  LC_ALL, LC_MESSAGES, LANG   language of the output, the first that is set; --lang overrides it
  NO_COLOR                    no colours
  CI                          plain lines instead of rows that change
  TERM                        "dumb" means both`
	environmentPageChinese = `mapstack 读取以下环境变量。选项优先于环境变量。

下载和缓存：
  MAPSTACK_MIRROR             Debian 镜像站的 URL：含 dists/ 和 pool/ 的目录；http、https 或 file
                              （默认采用 apt 的配置，连同其代理和密码）
  MAPSTACK_OFFLINE            1 禁止一切下载，与 --offline 相同
  MAPSTACK_SNAPSHOT           第二个镜像站的 URL，第一个不再有的软件包从它获取
  MAPSTACK_CHECK_VALID_UNTIL  “no”接受过期的仓库索引（默认按 apt 的配置）
  MAPSTACK_ACCEPT_OLDER       “yes”接受比以前见过的更旧的仓库索引
  MAPSTACK_CACHE_LIMIT        缓存超过此大小时，运行会删除旧条目（默认 24GiB）
  XDG_CACHE_HOME              缓存位于 $XDG_CACHE_HOME/mapstack（默认 ~/.cache/mapstack）
  HTTP_PROXY、HTTPS_PROXY     下载所用的代理；NO_PROXY 列出不经代理的主机

测试对象：
  SW64_KERNEL、SW64_QEMU 等   任何存档都没有的部件；mapstack doctor --arch sw64 列出它们，--supply 优先
  ARM64_QEMU_USER 等          用户态模拟器的命令，用于 --target user
  KYLIN_SERVER_V11_IMAGE 等   操作系统产品的镜像；mapstack list --os kylin 列出变量名

运行的分片，用于 --shard auto：
  CI_NODE_INDEX、CI_NODE_TOTAL                           GitLab，从 1 起
  BUILDKITE_PARALLEL_JOB、BUILDKITE_PARALLEL_JOB_COUNT   Buildkite，从 0 起
  JOB_COMPLETION_INDEX                                   Kubernetes，从 0 起；使用 --shard auto/N

显示：
  LC_ALL、LC_MESSAGES、LANG   输出的语言，取第一个已设置的；--lang 优先
  NO_COLOR                    不使用颜色
  CI                          用普通的行代替会变化的行
  TERM                        “dumb”表示以上两者`

	exitStatusShort = "What the exit status of the commands says"
	exitStatusPage  = `run, verdict, merge and watch end with the verdict:
  0   conformant: every MUST that applies holds, and everything asked for was decided; or all that fails is known
  1   non-conformant: a MUST does not hold. With --strict also: a known failure. With --baseline also: something got worse
  2   incomplete: something asked for did not run, or nothing was decided
  69  an error of the infrastructure, of the command line, or of mapstack; it says nothing of a kernel

Of several repeats (run --repeat) the worst one counts: 1 before 69, 69 before 2, 2 before 0.

Other commands:
  diff         1 if something got worse, else 0
  export       0 if the report was written, whatever the verdict is
  certify      1 if there is a reason against a certificate, 2 if the run is only incomplete
  verify       1 if the certificate is refused, 2 if nobody checked its signature
  bisect       2 if kernels that decide nothing hide the first bad one
  kill-table   1 if a defect is not caught, or a claim proves nothing
  probe        2 if the probe did not end well
  doctor       69 if something is missing
  stage0 read  1 if the ABI differs, 2 if the transcript is incomplete
  diagnose     with a command that of the command; mapstack diagnose --help lists the others

run --exit bisect is for git bisect run: 0 good, 1 bad, 125 for everything else.
GNU make ends with 2 after every failure; its last line has the number.`
	exitStatusPageChinese = `run、verdict、merge 和 watch 按结论退出：
  0   符合：每条适用的 MUST 都成立，所要求的都已判定；或所有失败都是已知的
  1   不符合：有 MUST 不成立。使用 --strict 时还包括已知的失败。使用 --baseline 时还包括有退步
  2   不完整：所要求的有未运行的，或什么都没有判定
  69  基础设施、命令行或 mapstack 的错误；不能说明内核的任何问题

多次重复（run --repeat）取最差的一次：1 先于 69，69 先于 2，2 先于 0。

其他命令：
  diff         有退步时为 1，否则为 0
  export       写出了报告即为 0，与结论无关
  certify      有不能发证的理由时为 1；运行只是不完整时为 2
  verify       证书被拒绝时为 1；没有人核对签名时为 2
  bisect       没有判定结果的内核遮住了第一个 bad 内核时为 2
  kill-table   有缺陷未被发现，或有断言什么都证明不了时为 1
  probe        探针没有正常结束时为 2
  doctor       缺少东西时为 69
  stage0 read  ABI 不同时为 1；记录不完整时为 2
  diagnose     有命令时为该命令的退出码；其余见 mapstack diagnose --help

run --exit bisect 供 git bisect run 使用：0 好，1 坏，其余为 125。
GNU make 在任何失败后都以 2 退出；其最后一行有该数字。`
)

package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mapstack/conformance/harness/judge/export"
	"github.com/mapstack/conformance/harness/language"
	"github.com/mapstack/conformance/harness/matrix/matrixfile"
)

// helpIn returns help that speaks Chinese to those who read it. The arguments of a command that
// is asked for help are not parsed to their end, so that --lang is looked for among them.
func helpIn(english func(*cobra.Command, []string)) func(*cobra.Command, []string) {
	return func(cmd *cobra.Command, args []string) {
		l := language.Of(os.Getenv)
		if asked := cmd.Root().PersistentFlags().Lookup("lang").Value.String(); asked != "" {
			l = language.Parse(asked)
		}
		if spoken(args, l) == language.Chinese {
			translate(cmd)
		}
		english(cmd, args)
	}
}

// translate turns the help of a command into Chinese, as far as it is in the catalogue.
func translate(cmd *cobra.Command) {
	for _, c := range append(cmd.Commands(), cmd) {
		c.Short = translated(c.Short)
	}
	cmd.Long = translated(cmd.Long)
	for _, g := range cmd.Groups() {
		g.Title = translated(g.Title)
	}
	flag := func(f *pflag.Flag) { f.Usage = translated(f.Usage) }
	cmd.InitDefaultHelpFlag()
	cmd.Flags().VisitAll(flag)
	cmd.InheritedFlags().VisitAll(flag)
	if f := cmd.Flags().Lookup("help"); f != nil {
		f.Usage = "显示帮助"
	}
	if f := cmd.Flags().Lookup("version"); f != nil {
		f.Usage = "显示版本"
	}
	cmd.SetUsageTemplate(strings.NewReplacer("Usage:", "用法：", "Available Commands:", "命令：", "Additional Commands:", "其他命令：", "Additional help topics:", "其他帮助：", "Examples:", "示例：", "Global Flags:", "通用选项：", "Flags:", "选项：",
		`Use "{{.CommandPath}} [command] --help" for more information about a command.`, `“{{.CommandPath}} 命令 --help”显示一个命令的帮助。`).Replace(cmd.UsageTemplate()))
}

// translated returns a text of the help in Chinese, or as it is.
func translated(english string) string {
	for _, from := range []map[string]string{catalogue, longer} {
		if chinese, ok := from[english]; ok {
			return chinese
		}
	}
	return english
}

// catalogue has the help in Chinese, by the English text.
var catalogue = map[string]string{
	"Test whether Linux kernels treat Go's threads right": "测试 Linux 内核能否正确支持 Go 的线程",
	"mapstack boots real kernels, runs cgo-free probes in them, and judges what they saw.\n\n" +
		"Exit status: 0 conformant, or everything is as the known failures of the matrix say; 1 non-conformant; 2 incomplete; 69 infrastructure or usage.": "mapstack 启动真实的内核，在其中运行不使用 cgo 的探针，并评判探针所见。\n\n" +
		"退出码：0 符合，或一切与矩阵的已知失败一致；1 不符合；2 不完整；69 基础设施或用法错误。",
	"Boot the cells, run the probes, judge the claims": "启动单元，运行探针，判定断言",
	trying: "测试内核：", results: "阅读结果：", preparing: "准备运行：", examining: "检查本机：",
	environmentShort: "mapstack 读取的环境变量", environmentPage: environmentPageChinese,
	exitStatusShort: "各命令的退出码的含义", exitStatusPage: exitStatusPageChinese,
	listShort: "列出单元，或断言、套件、探针、缺陷、架构、系统",
	"List what this machine lacks, with the command that supplies it": "列出本机缺少的东西，以及提供它的命令",
	"Compute a run's verdict again, from its evidence alone":          "仅凭证据重新得出一次运行的结论",
	"Make a certificate of a run":                                     "为一次运行制作证书",
	"Check a certificate against the evidence of its run":             "对照运行的证据核对证书",
	"certify reads a finished run (out/<run>) of a vendor's kernel, computes its verdict again, and writes a\n" +
		"certificate: an in-toto test result over the hashes of the kernel and of the evidence, in a DSSE envelope.\n" +
		"It lists every reason against one and ends with 1, or with 2 if the run is only incomplete.\n" +
		"With --check it reads the vendor's file alone, and says everything that is missing there.": "certify 读取厂商内核的一次已完成的运行（out/<run>），重新得出其结论，并写出证书：\n对内核和证据的哈希所作的 in-toto 测试结果，装在 DSSE 信封中。\n它列出不能发证的每个理由并以 1 退出；如果运行只是不完整，以 2 退出。\n使用 --check 时只读取厂商文件，并说明其中缺少的一切。",
	"YAML file with organisation, product, version, contact and links":                                 "YAML 文件，含机构、产品、版本、联系方式和链接",
	"private key that signs: ed25519 or SM2 as PEM in PKCS#8, or a key of ssh (default: no signature)": "用于签名的私钥：PKCS#8 PEM 格式的 ed25519 或 SM2，或 ssh 的密钥（默认不签名）",
	"file of the certificate (default: " + certificateFile + " in the folder of the run)":              "证书的文件（默认：运行目录中的 " + certificateFile + "）",
	"only check the vendor's file": "只检查厂商文件",
	"verify checks the signature of a certificate with --key, its hashes and its end, and computes the verdict\n" +
		"again from the evidence (out/<run>) without a network. It ends with 1 if the certificate is refused, and with 2\n" +
		"if its signature was not checked.\n" +
		"With --rerun it also boots the package that --kernel or --os-image names, and compares every outcome.": "verify 用 --key 核对证书的签名，核对其哈希和有效期，并在没有网络的情况下凭证据（out/<run>）重新得出结论。\n证书被拒绝时以 1 退出；没有核对签名时以 2 退出。\n使用 --rerun 时，它还启动 --kernel 或 --os-image 指定的软件包，并比较每个结果。",
	"public key of who signed: ed25519 or SM2 as PEM, or a line as in id_ed25519.pub":       "签名者的公钥：PEM 格式的 ed25519 或 SM2，或 id_ed25519.pub 那样的一行",
	"run the same package again, and compare the outcomes":                                  "再次运行同一软件包，并比较结果",
	"Write one program with everything that the cells need, for machines without a network": "生成一个包含单元所需一切的程序，用于没有网络的机器",
	"Show what changed between two runs":                                                    "显示两次运行之间的变化",
	"diff judges the evidence of two finished runs and shows each claim that they decide differently, with what was observed\n" +
		"in both. Cells with the same name are compared, or one cell of each run. It exits with 1 if anything got worse.": "diff 判定两次运行的证据，列出判定不同的每条断言，以及两边观察到的内容。\n比较同名的单元，或两次运行各自的一个单元。有任何退步时以 1 退出。",
	"Show which claims several runs did not decide alike": "显示多次运行判定不同的断言",
	"flakes judges the evidence of several finished runs of the same cells. It lists the claims that they did not all decide\n" +
		"alike, and says how rare that is. It ends with 0 whatever it finds.": "flakes 判定同样单元的多次运行的证据，列出判定不尽相同的断言，并说明这有多罕见。\n无论发现什么都以 0 退出。",
	"Write the report of a run in another format": "用另一种格式写出一次运行的报告",
	"export reads the evidence of a finished run (out/<run>), checks it as verdict does, and writes its report\n" +
		"in the format of another program. It ends with 0 if the report was written, whatever the verdict is.\n" +
		"The format compatibility takes several runs: a page of kernels, systems and architectures, in Markdown and HTML.": "export 读取一次运行（out/<run>）的证据，像 verdict 一样核对，并按其他程序的格式写出报告。\n只要写出了报告就以 0 退出，与结论无关。\n格式 compatibility 接受多次运行：以 Markdown 和 HTML 写出内核、系统与架构的兼容性页面。",
	"name of the CI system that submits to KCIDB (default: " + export.DefaultOrigin + ")":                     "向 KCIDB 提交的 CI 系统的名称（默认：" + export.DefaultOrigin + "）",
	"the file that certify takes, whose product the format osv then names (default: what run --vendor named)": "certify 所用的文件；格式 osv 随后写明其中的产品（默认：run --vendor 所写的产品）",
	"the file that certify takes; reports then name its product as what was tested":                           "certify 所用的文件；报告会写明其中的产品就是被测对象",
	formatUsage: "下列之一：" + strings.Join(formatNames(), "、"),
	"write to this folder (default: the standard output, if the format has one file)": "写到此目录（默认：格式只有一个文件时写到标准输出）",
	"Say what a claim, a suite or a defect is, and what to do when a claim fails":     "说明一条断言、一个套件或一个缺陷是什么，以及断言失败时怎么办",
	"explain shows a claim's sentence, level and source, the probe and the steps that decide it, the defects that prove\n" +
		"that it can fail, the recorded kernels on which it fails or does not apply, the findings that name it, and what to do.\n" +
		"It boots nothing and downloads nothing.": "explain 显示一条断言的句子、级别和来源，判定它的探针和步骤，证明它可以失败的缺陷，\n它失败或不适用的有记录的内核，提到它的发现，以及对策。它不启动任何东西，也不下载。",
	"also list claims that pass in both runs with other numbers or details": "也列出两次运行中都通过、仅数值或细节不同的断言",
	"Find the kernel that changed how a claim is decided":                   "找出改变了一条断言判定的内核",
	bisectLong: bisectLongChinese,
	"the architecture whose kernels of a yum repository are tested":                "测试 yum 仓库中哪个架构的内核",
	"file of the OpenPGP keys that may sign the yum repository":                    "OpenPGP 公钥文件，其中的公钥可以签署该 yum 仓库",
	"the kernel at one end, which decides the claim as it should; one of the list": "一端的内核，它的判定符合期望；须在列表中",
	"the kernel at the other end, which decides it otherwise; one of the list":     "另一端的内核，它的判定不同；须在列表中",
	"the claim, such as MS-010": "断言，例如 MS-010",
	"file of the session's log (default: bisect-CLAIM.log in the folder of --out)":                          "会话日志的文件（默认：--out 目录中的 bisect-CLAIM.log）",
	"what the exit status says: verdict, or bisect for git bisect run (0 good, 1 bad, 125 everything else)": "退出码的含义：verdict（结论），或 bisect（供 git bisect run 使用：0 好，1 坏，其余为 125）",
	"Show what a run says of each statement of the article about sw64":                                      "显示一次运行对那篇关于 sw64 的文章中每条陈述的判定",
	"claims article lists the technical statements of the article about sw64. Each has what decides it, claims or a\n" +
		"source that was read, and what a finished run (out/<run>) observed. Without DIR it lists them alone.": "claims article 列出那篇关于 sw64 的文章中的技术陈述。每条都写明由什么判定（断言，或读过的源码），\n以及一次已完成的运行（out/<run>）观察到了什么。不给出 DIR 时只列出陈述。",
	"also write a page for people to this file, with all changes and details": "另外写一个供人阅读的网页到该文件，含全部变化和细节",
	"write tables in Markdown":                                  "写成 Markdown 表格",
	"Measure how fast targets are, one against another":         "测量各目标的快慢并相互比较",
	"Measure goroutines under load on several targets in turns": "在多个目标上轮流测量负载下的 goroutine",
	"bench load runs the same loads on every target in turns and compares each target with the first one. It prints the\n" +
		"medians with the ratios and their limits, and what the article about sw64 says of the causes. The folder of the run\n" +
		"gets all samples as JSON and a page with plots. Without --target and --cell it measures this host alone.\n" +
		"It judges no kernel. It exits with 2 if a load did not run to its end.": "bench load 在每个目标上轮流运行相同的负载，并把每个目标与第一个比较。它打印中位数、比值及其界限，\n以及关于 sw64 的文章所述原因的测量结果。运行的目录中有 JSON 格式的全部样本和带图的网页。\n不给出 --target 和 --cell 时只测量本机。它不评判任何内核。有负载未运行到底时以 2 退出。",
	"measure a system that runs already: native (this one), ssh://user@host[:port], or user (a user-mode emulator of --arch) (may be repeated)": "测量已经运行的系统：native（本机）、ssh://user@host[:port]，或 user（--arch 的用户态模拟器）（可重复）",
	"the architecture that --target user emulates":                                        "--target user 模拟的架构",
	"measure guests of these cells, after the targets (comma-separated; may be repeated)": "在各目标之后测量这些单元的客户机（以逗号分隔，可重复）",
	"only these loads (comma-separated; may be repeated)":                                 "只要这些负载（以逗号分隔，可重复）",
	"how often each load is measured on each target":                                      "每种负载在每个目标上测量的次数",
	"how long each repetition of a load is measured":                                      "负载的每次重复测量多少毫秒",
	"folder for the results":                                                              "存放结果的目录",
	"Show the version of this program":                                                    "显示本程序的版本",
	"Run the cells that have a new kernel, and say what changed":                          "运行有新内核的单元，并说明有何变化",
	"watch makes one pass, for cron and the schedules of CI systems. It asks which kernel each cell would have now:\n" +
		"the newest package of its archive or repository, or the file at its place. It runs the cells whose kernel is\n" +
		"another one than in the state file, and shows what changed against the last run of each. The first pass runs\n" +
		"every cell. A cell that could not be run, because of an error that is not the kernel's, runs again in the next\n" +
		"pass. It ends with 0 if no kernel is new, and else as the run does; also with 1 if something got worse.": "watch 执行一遍检查，供 cron 和 CI 系统的定时任务使用。它询问每个单元现在会用哪个内核：\n存档或仓库中最新的软件包，或指定位置的文件。它运行内核与状态文件中不同的单元，\n并显示与各单元上一次运行相比的变化。第一遍运行所有单元。\n因为并非内核的错误而未能运行的单元，在下一遍再次运行。\n没有新内核时以 0 退出，否则与运行的退出码相同；有退步时也以 1 退出。",
	stateUsage:                               "记录每个单元用过哪个内核、其上一次运行在何处的文件",
	watchListUsage:                           "显示哪些单元有新内核，不运行，也不改动状态文件；-o json 供其他程序使用",
	watchOSUsage:                             "监视该操作系统（例如 kylin 或 uos）各产品中您提供了镜像的",
	"Show what the cache holds, or prune it": "显示缓存的内容，或清理缓存",
	"Say why a program on this host gets no thread":                                           "说明本机上的程序为何得不到线程",
	"Download and prepare everything the cells need, without booting them":                    "下载并准备单元所需的一切，不启动",
	"Show which claims catch which injected defects":                                          "显示哪些断言能发现哪些注入的缺陷",
	"Run one probe in one cell and print what it observed":                                    "在一个单元中运行一个探针，并打印它观察到的内容",
	"Make the program that asks a kernel for its ABI without any runtime, or read its output": "生成不依赖任何运行时、向内核询问 ABI 的程序，或读取它的输出",
	"Help about any command":                                                                  "显示命令的帮助",
	"Generate the autocompletion script for the specified shell":                              "为指定的 shell 生成补全脚本",
	"verdict reads the evidence of a finished run (out/<run>), judges every claim again, and compares\nthe result with the report beside it. It boots nothing and downloads nothing. Without DIR it takes\nout/latest, the run that ended last.": "verdict 读取一次运行（out/<run>）的证据，重新判定每条断言，并与旁边的报告比较。它不启动任何东西，也不下载。\n没有给出 DIR 时采用 out/latest，即最后结束的运行。",
	"language of the output, en or zh (default: that of LC_ALL, LC_MESSAGES or LANG)": "输出的语言，en 或 zh（默认取自 LC_ALL、LC_MESSAGES 或 LANG）",
	"only these architectures, by any of their names (comma-separated)":               "只要这些架构，任何一个名称都可以（以逗号分隔）",
	cellUsage:      "只要这些单元、单元组（例如 lean），或匹配模式（例如 'arm64-*'）的单元（以逗号分隔，或重复给出）",
	skipUsage:      "跳过这些单元、单元组，或匹配模式的单元（以逗号分隔，或重复给出）",
	skipClaimUsage: "跳过这些单元、单元组、断言、套件，或模式（例如 'amd64-*' 和 'CL-*'）（以逗号分隔，或重复给出）",
	focusUsage:     "只要这些断言或套件，例如 MS-003 或 mmapabi，或模式（例如 'CL-*'）（以逗号分隔，或重复给出）",
	"only these kernel series, such as 6.1 or newest (comma-separated)":                                                       "只要这些内核系列，例如 6.1 或 newest（以逗号分隔）",
	"supply a part that no archive has, as NAME=VALUE, such as SW64_KERNEL=FILE; overrides the environment (may be repeated)": "提供任何存档都没有的部件，写成 NAME=VALUE，例如 SW64_KERNEL=FILE；优先于环境变量（可重复）",
	"accept no kernel but the one in fixtures/kernels.lock":                                                                   "只接受 fixtures/kernels.lock 中的内核",
	"draw a column for each suite, and a table of systems, kernels and architectures; both are wider than 80 columns":         "每个套件一列，并加上系统、内核与架构的表；宽度超过 80 列",
	"write the reports of the evidence to this folder: report.json, report.html, junit.xml":                                   "把证据的报告写到此目录：report.json、report.html、junit.xml",
	"copy the evidence of a complete run to this folder, for tests that judge it again":                                       "把一次完整运行的证据复制到此目录，供测试重新判定",
	strictUsage: "fixtures/known-failures.yaml 或矩阵文件所列的失败也计算在内，并因此以 1 退出",
	"only these kernel series, such as 6.1 or newest (comma-separated); or a kernel of yours, by a path with a slash: a kernel file, a .deb, a .rpm or a yum repository": "只要这些内核系列，例如 6.1 或 newest（以逗号分隔）；或用带斜杠的路径指定您的内核：内核文件、.deb、.rpm 或 yum 仓库",
	"inject this defect below the probes, as if the kernel had it; such a run certifies nothing":                                                                         "在探针之下注入此缺陷，如同内核自带；这样的运行不构成认证",
	"give every probe a guest of its own, also those that leave nothing behind":                                                                                          "为每个探针单独启动客户机，不留痕迹的探针也不例外",
	"after the run, show what changed against this finished run, given as DIR or DIR@CELL; a regression ends a conformant run with 1":                                    "运行结束后，显示与这次已完成的运行（写成 DIR 或 DIR@CELL）相比的变化；有退步时，符合的运行也以 1 退出",
	"go on with this interrupted run (out/<run>): what has ended in it is not run again":                                                                                 "继续这次中断的运行（out/<run>）：其中已结束的不再运行",
	"run one part of the cells: I/N (from 1), auto (GitLab, Buildkite) or auto/N (Kubernetes); mapstack merge joins the parts":                                           "只运行一部分单元：I/N（从 1 起）、auto（GitLab、Buildkite）或 auto/N（Kubernetes）；mapstack merge 合并各部分",
	"with --shard: share the cells out by the times in this run or report, the same for all shards":                                                                      "与 --shard 一起：按这次运行或报告中的时间分配单元，所有分片须相同",
	"run everything this many times, and count the claims that are not always decided alike":                                                                             "全部运行这么多次，并统计判定不总是相同的断言",
	"run again what failed or was not decided in this run (out/<run>): its cells and claims alone":                                                                       "重新运行这次运行（out/<run>）中失败或没有判定的部分：只限相应的单元和断言",
	"show what would run, and boot nothing; -o json for other programs":                                                                                                  "显示将要运行什么，不启动任何东西；-o json 供其他程序使用",
	"write what happens as JSON, one event a line, to this file, or to a file descriptor that is open, such as 3":                                                        "把运行过程写成 JSON，每行一个事件，写到此文件，或写到已打开的文件描述符，例如 3",
	"form of the output: text, or json for other programs":                                                                                                               "输出的形式：text，或供其他程序使用的 json",
	"list what would be downloaded, with size, hash and where it is from, and download no package":                                                                       "列出将要下载的内容，含大小、哈希和来源，不下载软件包",
	"Make one run of the shards of a run": "把一次运行的各分片合成一次运行",
	"merge joins the evidence of finished runs (out/<run>) in a new folder, and judges it. The runs are the shards of one run,\n" +
		"or have different cells. It refuses runs that were changed or stopped, a cell that two of them have, and a cell that no\n" +
		"shard has. It exits as the whole run would.": "merge 把若干已完成的运行（out/<run>）的证据合并到新目录中并判定。它们是一次运行的各个分片，或单元各不相同。\n被改动或被停止的运行、两次运行都有的单元、没有任何分片运行的单元，都会被拒绝。退出码与整次运行相同。",
	"folder for the evidence and the reports of the whole run":                               "存放整次运行的证据和报告的目录",
	"boot guests instead of restoring them from a snapshot":                                  "启动客户机，而不是从快照恢复",
	"if there is no real kernel of the architecture, exit as the twin and the models decide": "没有该架构的真实内核时，按孪生内核和模型的判定退出",
	quietUsage:   "不显示进度，只显示警告和结果",
	verboseUsage: "每一步各占一行（在终端上也是如此），并显示错误的全部各行",
	offlineUsage: "不下载，与 MAPSTACK_OFFLINE=1 相同；缓存中缺少的文件会报错并指明。隐含 --locked",
	"folder with the agent and probes to run instead of ours: the program guest, which you compiled from poc/guest with your own Go": "用此目录中的代理和探针代替自带的：用您自己的 Go 从 poc/guest 编译的程序 guest",
	"folder for evidence and reports": "存放证据和报告的目录",
	"run the probes in a system that runs already: native (this one), ssh://user@host[:port], or user (a user-mode emulator of --arch)": "在已经运行的系统中运行探针：native（本机）、ssh://user@host[:port]，或 user（--arch 的用户态模拟器）",
	"also run probes that can disrupt other users of the target":                                                                        "也运行可能影响目标上其他用户的探针",
	"image of a system's disk (raw or qcow2, also compressed): test its kernel with its settings; nothing is written to the image":      "系统磁盘的镜像（raw 或 qcow2，可以压缩）：连同其设置测试其内核；不写入镜像",
	osUsage: "给出内核或镜像时：它所属的系统，例如 uos 或 kylin（默认按文件或镜像所示）。没有给出时：运行该系统各产品中您提供了镜像的，并列出其余的；mapstack list 显示它们",
	"the system that the kernel belongs to, such as uos or kylin (default: what the file or the image says)": "内核所属的系统，例如 uos 或 kylin（默认按文件或镜像所示）",
	"show what is known of the products of this operating system, such as kylin or uos, or of one product":   "显示对该操作系统（例如 kylin 或 uos）各产品或某一产品所知的情况",
	matrixUsage: "列出您自己的单元的文件（默认：当前目录的 " + matrixfile.Name + "，如果有）；none 表示内置矩阵。mapstack init 写出一个",
	"Write a commented " + matrixfile.Name + ", to list cells of your own in":                                         "写出带注释的 " + matrixfile.Name + "，用来列出您自己的单元",
	"file of the OpenPGP keys that may sign the yum repository which --kernel names":                                  "OpenPGP 公钥文件，其中的公钥可以签署 --kernel 指定的 yum 仓库",
	"add this kernel parameter, K or K=V; reports say that it was added (may be repeated)":                            "添加此内核参数，K 或 K=V；报告会写明（可重复）",
	"boot the system on --os-image by its own boot loader, and run the probes in it; nothing is written to the image": "用 --os-image 自己的引导程序启动其中的系统，并在其中运行探针；不写入镜像",
	"the user who logs in on the serial console of a full boot":                                                       "完整启动时在串行控制台登录的用户",
	"file with the password of --login; leave it out for an account without one":                                      "--login 的密码文件；账号没有密码时不用指定",
	"firmware that a full boot starts with, such as OVMF.fd (default: QEMU's own)":                                    "完整启动所用的固件，例如 OVMF.fd（默认用 QEMU 自带的）",
}

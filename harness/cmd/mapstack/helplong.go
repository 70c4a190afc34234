package main

import (
	"github.com/dustin/go-humanize"

	"github.com/mapstack/conformance/harness/cache"
)

// longer has the Chinese help of commands that explain much, as catalogue has that of others.
var longer = map[string]string{
	fetchLong: "fetch 下载内核、模拟器，以及矩阵文件用 URL 写明的文件，并逐一按签名或哈希核对。\n" +
		"如果这里是源码目录，它还编译客户机程序。此后使用 --offline 的运行不需要网络。\n" +
		"使用 --list 时只说明将要下载什么、有多大、从哪里来。",
	"write the kernels that the whole matrix resolved to into fixtures/kernels.lock": "把整个矩阵所解析到的内核写入 fixtures/kernels.lock",

	bundleLong: "bundle 写出一个不下载任何内容的 mapstack。内核、QEMU 及其依赖库都在其中，并带有 Debian 的签名。\n" +
		"它在与本机架构相同的机器上运行。对于矩阵文件，它包含模拟器和下载的文件；\n" +
		"矩阵文件本身，以及其中用路径写明的内容，必须一并带上。",
	"file to write": "要写的文件",

	probeLong: "probe 启动一个单元（也可以是矩阵文件的单元），并在其中运行一个探针。它把观察结果打印到标准输出，每行一个 JSON 对象，\n" +
		"最后是探针如何结束。它不作任何评判。使用 --target 时探针在那里运行，不写 CELL。\n" +
		"探针没有正常结束时以 2 退出。探针 hostile 故意行为不当，用来显示测试框架如何应对。",
	"file for the guest's console log":                            "存放客户机控制台日志的文件",
	"also run a probe that can disrupt other users of the target": "也运行可能影响目标上其他用户的探针",
	"run the probe in a system that runs already: native (this one), ssh://user@host[:port], or user (a user-mode emulator of --arch)": "在已经运行的系统中运行探针：native（本机）、ssh://user@host[:port]，或 user（--arch 的用户态模拟器）",

	killTableLong: "kill-table 先在没有缺陷的情况下运行每个单元的探针，作为对照；再在每个缺陷模型之上运行。每次运行都有自己的客户机。\n" +
		"它打印哪些断言能发现哪个缺陷。下列情况以 1 退出：\n\n" +
		"  - 对照不符合，\n" +
		"  - 某个缺陷没有被任何 MUST 断言发现，\n" +
		"  - 某条 MUST 断言在任何缺陷之下都不失败，或\n" +
		"  - 某个缺陷使关于其他内容的断言失败，且没有记录原因。",
	"run everything again. Without it, results are cached per guest, so an interrupted table resumes": "全部重新运行。不使用时，结果按客户机缓存，因此中断的表可以继续",
	"also try each defect on the probes that should not notice it; this takes several times as long":  "也在不应察觉某个缺陷的探针上尝试该缺陷；所需时间是几倍",
	"also write the table as Markdown to this file":                                                   "另外把表以 Markdown 写到此文件",

	stage0Long: "stage0 make 写出一个向内核询问 ABI 的静态程序。它不需要工具链，也不需要运行时。\n" +
		"在板子上运行它，或在模拟器下运行，例如“qemu-sw64 -cpu core3 stage0.sw64”，再把它的输出交给 stage0 read。\n" +
		"一次运行的每个客户机本来就先运行它。",
	"Write the program of an architecture to a file":                                    "把某个架构的程序写到文件",
	"Read the program's output from standard input, and print its observations as JSON": "从标准输入读取该程序的输出，并以 JSON 打印其观察结果",
	stage0ReadLong: "read 在控制台日志或该程序自己的输出中找到它的记录，并打印记录内容。它在标准错误上说明所回答的 ABI 与该架构的有何不同。\n" +
		"退出码：没有不同为 0，有不同为 1，记录不完整为 2。",

	diagnoseLong: "diagnose 启动程序 CMD，或附加到进程 PID，并用 ptrace 观察它。内核拒绝创建线程或进程时，diagnose 说明触及了哪个限制、\n" +
		"该限制在何处设置、用哪条命令提高。如果无法跟踪该程序，diagnose 按它的错误信息或限制判断，并说明跟踪需要什么。\n\n" +
		"使用 CMD 时，本进程变成该程序，另一个进程观察它和它启动的一切，直到结束。观察者的六个任务计入同一用户的限制；\n" +
		"以 root 运行时它离开该程序的控制组。该程序只在限制可能拒绝的系统调用处停下。使用 --pid 时、在 seccomp 过滤器之下、\n" +
		"或在 Linux 4.8 之前，它在每个系统调用处停下，因此运行较慢。对于非 root 用户，CMD 启动的 set-user-ID 程序得不到其用户，\n" +
		"在任何跟踪程序之下都是如此。\n\n" +
		"使用 --from 时，diagnose 读取一个程序、它的服务管理器或内核在为时已晚时写下的内容。它列出可能的原因，\n" +
		"以及本机现在的情况对每个原因的支持和反对。对于另一台主机的日志，请在那里运行 diagnose --facts -o FILE，\n" +
		"并在这里加上 --host-facts FILE。\n\n" +
		"使用 CMD 时诊断写到标准错误，否则写到标准输出。\n\n" +
		"使用 CMD 时的退出码：该程序的退出码，或终止它的信号。没有这样的程序，或没有余地观察它时为 69。\n" +
		"使用 --pid 时，在该程序结束或按下 Ctrl-C 之后的退出码：\n\n" +
		"  0   没有拒绝任何请求，或该程序已恢复\n" +
		"  1   拒绝了某个请求，或某个限制已用尽\n" +
		"  2   无法确定\n" +
		"  69  没有这样的程序\n\n" +
		"使用 --from 时的退出码：日志中有拒绝为 1，没有为 2，无法读取为 69。",
	"watch this process instead of starting one":                                                 "观察此进程，而不是启动一个",
	"write the diagnosis as JSON on one line, with the text in both languages":                   "把诊断写成一行 JSON，文字有两种语言",
	"write the diagnosis to this file":                                                           "把诊断写到此文件",
	"write what this host shows of its limits as JSON, for --host-facts":                         "把本机所示的限制写成 JSON，供 --host-facts 使用",
	"read the log of a program that has ended, - for standard input, and name the likely causes": "读取已结束的程序的日志（- 表示标准输入），并指出可能的原因",
	"with --from: weigh the causes by this file from the program's host":                         "与 --from 一起：按来自该程序所在主机的此文件衡量各原因",

	cacheLong(): "cache 显示缓存的内容。没有其他运行使用缓存时，运行会把它清理到限额，最久没有使用的先删除。\n" +
		"限额是 " + humanize.IBytes(cache.DefaultLimit) + "，或 MAPSTACK_CACHE_LIMIT 的值，例如 8GiB。",
	"Remove what was used longest ago, down to the limit":                         "删除最久没有使用的内容，直到限额",
	"prune to this size instead of the limit, such as 8GiB; 0 removes everything": "清理到此大小，而不是限额，例如 8GiB；0 删除全部",

	"Help provides help for any command in the application.\nSimply type mapstack help [path to command] for full details.": "help 显示任何命令的帮助。\n输入 mapstack help 命令 查看详情。",

	"Generate the autocompletion script for mapstack for the specified shell.\nSee each sub-command's help for details on how to use the generated script.\n": "为指定的 shell 生成 mapstack 的补全脚本。\n各子命令的帮助说明如何使用生成的脚本。\n",
	"Generate the autocompletion script for bash":       "为 bash 生成补全脚本",
	"Generate the autocompletion script for zsh":        "为 zsh 生成补全脚本",
	"Generate the autocompletion script for fish":       "为 fish 生成补全脚本",
	"Generate the autocompletion script for powershell": "为 powershell 生成补全脚本",
	"disable completion descriptions":                   "不显示各补全项的说明",
	"Generate the autocompletion script for the bash shell.\n\nThis script depends on the 'bash-completion' package.\nIf it is not installed already, you can install it via your OS's package manager.\n\nTo load completions in your current shell session:\n\n\tsource <(mapstack completion bash)\n\nTo load completions for every new session, execute once:\n\n#### Linux:\n\n\tmapstack completion bash > /etc/bash_completion.d/mapstack\n\n#### macOS:\n\n\tmapstack completion bash > $(brew --prefix)/etc/bash_completion.d/mapstack\n\nYou will need to start a new shell for this setup to take effect.\n":                                            "为 bash 生成补全脚本。\n\n脚本需要软件包 bash-completion；如果没有，请用系统的软件包管理器安装。\n\n在当前 shell 中加载补全：\n\n\tsource <(mapstack completion bash)\n\n在每个新的 shell 中加载补全，执行一次：\n\n#### Linux：\n\n\tmapstack completion bash > /etc/bash_completion.d/mapstack\n\n#### macOS：\n\n\tmapstack completion bash > $(brew --prefix)/etc/bash_completion.d/mapstack\n\n新启动的 shell 中生效。\n",
	"Generate the autocompletion script for the zsh shell.\n\nIf shell completion is not already enabled in your environment you will need\nto enable it.  You can execute the following once:\n\n\techo \"autoload -U compinit; compinit\" >> ~/.zshrc\n\nTo load completions in your current shell session:\n\n\tsource <(mapstack completion zsh)\n\nTo load completions for every new session, execute once:\n\n#### Linux:\n\n\tmapstack completion zsh > \"${fpath[1]}/_mapstack\"\n\n#### macOS:\n\n\tmapstack completion zsh > $(brew --prefix)/share/zsh/site-functions/_mapstack\n\nYou will need to start a new shell for this setup to take effect.\n": "为 zsh 生成补全脚本。\n\n如果还没有启用补全，请执行一次：\n\n\techo \"autoload -U compinit; compinit\" >> ~/.zshrc\n\n在当前 shell 中加载补全：\n\n\tsource <(mapstack completion zsh)\n\n在每个新的 shell 中加载补全，执行一次：\n\n#### Linux：\n\n\tmapstack completion zsh > \"${fpath[1]}/_mapstack\"\n\n#### macOS：\n\n\tmapstack completion zsh > $(brew --prefix)/share/zsh/site-functions/_mapstack\n\n新启动的 shell 中生效。\n",
	"Generate the autocompletion script for the fish shell.\n\nTo load completions in your current shell session:\n\n\tmapstack completion fish | source\n\nTo load completions for every new session, execute once:\n\n\tmapstack completion fish > ~/.config/fish/completions/mapstack.fish\n\nYou will need to start a new shell for this setup to take effect.\n":                                                                                                                                                                                                                                                                                              "为 fish 生成补全脚本。\n\n在当前 shell 中加载补全：\n\n\tmapstack completion fish | source\n\n在每个新的 shell 中加载补全，执行一次：\n\n\tmapstack completion fish > ~/.config/fish/completions/mapstack.fish\n\n新启动的 shell 中生效。\n",
	"Generate the autocompletion script for powershell.\n\nTo load completions in your current shell session:\n\n\tmapstack completion powershell | Out-String | Invoke-Expression\n\nTo load completions for every new session, add the output of the above command\nto your powershell profile.\n":                                                                                                                                                                                                                                                                                                                                                               "为 powershell 生成补全脚本。\n\n在当前会话中加载补全：\n\n\tmapstack completion powershell | Out-String | Invoke-Expression\n\n在每个新的会话中加载补全，把上述命令的输出加入您的 powershell 配置文件。\n",
}

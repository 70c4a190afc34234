package clone

import (
	"github.com/onsi/gomega"

	"github.com/mapstack/conformance/harness/judge/facts"
	"github.com/mapstack/conformance/harness/judge/verdict"
	"github.com/mapstack/conformance/poc/abi"
	"github.com/mapstack/conformance/suites/internal/claim"
	"github.com/mapstack/conformance/suites/internal/feature"
)

// traced is why no defect makes a thread register wrong where ptrace reads it.
const traced = "the injector traces every child, so that no other tracer can look at its thread register; CL-041 and CL-042 are the same where the child can ask itself"

// tlsClaims are about the thread register of a child. On amd64 the child asks for it itself;
// elsewhere ptrace reads it.
func tlsClaims() []claim.Claim {
	const source = "clone(2): CLONE_SETTLS, on x86-64 tls is the new value of the %fs base register, and on architectures with a dedicated TLS register, the new value of that register; "
	byItself, byPtrace := source+"arch_prctl(2): ARCH_GET_FS", source+"ptrace(2): PTRACE_GETREGSET, and PTRACE_GET_THREAD_AREA on MIPS"
	return []claim.Claim{
		{
			ID: "CL-041", Level: verdict.Must,
			English:     "On amd64 a child that clone makes with CLONE_SETTLS has the address that was given in its thread register.",
			Chinese:     "在 amd64 上，clone 以 CLONE_SETTLS 创建的子进程，其线程寄存器保存所给的地址。",
			Source:      byItself,
			Needs:       []abi.Feature{abi.Trace},
			Unsupported: claim.Where(onAMD64(true)),
			Check:       threadRegister("libc.tls"),
		},
		{
			ID: "CL-042", Level: verdict.Must,
			English:     "On amd64 a child that clone3 makes with CLONE_SETTLS has the address in tls in its thread register.",
			Chinese:     "在 amd64 上，clone3 以 CLONE_SETTLS 创建的子进程，其线程寄存器保存 tls 中的地址。",
			Source:      byItself,
			Needs:       []abi.Feature{abi.Trace},
			Unsupported: claim.Where(onAMD64(true)),
			Features:    []claim.Feature{feature.Clone3()},
			Check:       threadRegister("clone3.tls"),
		},
		{
			ID: "CL-046", Level: verdict.Must,
			English:      "On other architectures a child that clone makes with CLONE_SETTLS has the address that was given in its thread register.",
			Chinese:      "在其他架构上，clone 以 CLONE_SETTLS 创建的子进程，其线程寄存器保存所给的地址。",
			Source:       byPtrace,
			Needs:        []abi.Feature{abi.Trace},
			Unsupported:  claim.Where(onAMD64(false)),
			Features:     []claim.Feature{feature.ThreadRegister("libc.tls")},
			Uninjectable: traced,
			Check:        threadRegister("libc.tls"),
		},
		{
			ID: "CL-047", Level: verdict.Must,
			English:      "On other architectures a child that clone3 makes with CLONE_SETTLS has the address in tls in its thread register.",
			Chinese:      "在其他架构上，clone3 以 CLONE_SETTLS 创建的子进程，其线程寄存器保存 tls 中的地址。",
			Source:       byPtrace,
			Needs:        []abi.Feature{abi.Trace},
			Unsupported:  claim.Where(elsewhereWithClone3),
			Features:     []claim.Feature{feature.Clone3(), feature.ThreadRegister("clone3.tls")},
			Uninjectable: traced,
			Check:        threadRegister("clone3.tls"),
		},
	}
}

// onAMD64 excludes all architectures but amd64, or amd64 alone.
func onAMD64(wanted bool) func(abi.Table) string {
	return func(a abi.Table) string {
		switch is := a.GOARCH == "amd64"; {
		case wanted && !is:
			return "only a child on amd64 can ask for its thread register, see CL-046 and CL-047"
		case !wanted && is:
			return "a child on amd64 asks for its thread register itself, see CL-041 and CL-042"
		}
		return ""
	}
}

func elsewhereWithClone3(a abi.Table) string {
	if why := onAMD64(false)(a); why != "" {
		return why
	}
	return hasClone3(a)
}

// threadRegister makes a check of a step that gave a child an address for its thread
// register.
func threadRegister(step string) func(gomega.Gomega, claim.Transcript, facts.Facts) {
	return func(g gomega.Gomega, t claim.Transcript, _ facts.Facts) {
		o := t.Step(step)
		shows(g, o, "register", o.Value("given"))
	}
}

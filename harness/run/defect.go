package run

// injector is the guest program that runs another below a defect model.
const injector = "inject"

// Spared reports whether a probe is never run below a defect: one that says
// what the target is, because claims are judged by that, and one that traces,
// because nobody is traced twice.
func Spared(probe string) bool {
	return probe == FactsProbe || probe == "sysconf" || probe == "tracing"
}

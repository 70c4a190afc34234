package cases

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// ordinary are programs that many have, and that get all they need.
var ordinary = [][]string{
	{"sh", "-c", "true | cat; (exit 0)"}, {"bash", "-c", "for i in 1 2 3; do /bin/true & done; wait"}, {"dash", "-c", "ls / | wc -l"},
	{"awk", "BEGIN { system(\"true\") }"}, {"sed", "-n", "1p", "/etc/passwd"}, {"grep", "-r", "root", "/etc/passwd"}, {"sort", "--parallel=4", "/etc/passwd"},
	{"find", "/etc/init.d", "-maxdepth", "1"}, {"xargs", "-P4", "-n1", "echo"}, {"tar", "cf", "/dev/null", "/etc/passwd"}, {"gzip", "-c", "/etc/passwd"},
	{"xz", "-T4", "-c", "/etc/passwd"}, {"make", "--version"}, {"gcc", "-x", "c", "-fsyntax-only", "/dev/null"}, {"git", "version"}, {"go", "version"},
	{"perl", "-e", "my $p = fork; exit 0 unless $p; wait"}, {"python3", "-c", "import threading as t; x = t.Thread(target=print); x.start(); x.join()"},
	{"python3", "-c", "import subprocess; subprocess.run(['true'])"}, {"node", "-e", "setTimeout(() => {}, 10)"}, {"java", "-version"},
	{"openssl", "version"}, {"curl", "--version"}, {"ps", "aux"}, {"env", "true"}, {"timeout", "5", "true"}, {"setpriv", "--version"}, {"cp", "/etc/passwd", "/dev/null"},
}

// TestOrdinaryProgramsAreNotBlamed fails if diagnose finds a fault where there is none.
func TestOrdinaryProgramsAreNotBlamed(t *testing.T) {
	dir := programs(t)
	var missing []string
	for _, words := range ordinary {
		path, err := exec.LookPath(words[0])
		if err != nil {
			missing = append(missing, words[0])
			continue
		}
		t.Run(filepath.Base(words[0]), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), most)
			defer cancel()
			if err := command(ctx, append([]string{path}, words[1:]...)).Run(); err != nil {
				t.Skipf("not run: it fails by itself: %v", err)
			}
			s := &scene{t: t, situation: situation{want: told{verdict: "fine", exit: 0}}, programs: dir}
			report := filepath.Join(t.TempDir(), "report.json")
			s.diagnose(command(ctx, slices.Concat([]string{s.path(Mapstack), "diagnose", "--json", "-o", report, "--"}, words)), nil)
			s.read(report)
			for _, wrong := range s.wrong() {
				t.Errorf("%v: %s\n%s\n%s", words, wrong, s.said.Explanation.English, ends(s.output))
			}
		})
	}
	t.Logf("not here: %v", missing)
}

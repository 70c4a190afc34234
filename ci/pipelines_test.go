package ci

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// said runs a command in this folder and returns what it printed. The test fails if the command does.
func said(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// spoiled writes a copy of a file in which a mistake was made, and returns its path: a
// validator that takes it as well shows nothing.
func spoiled(t *testing.T, name, right, wrong string) string {
	t.Helper()
	text := string(read(t, name))
	if !strings.Contains(text, right) {
		t.Fatalf("%s has no %q to spoil", name, right)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(name))
	if err := os.WriteFile(path, []byte(strings.Replace(text, right, wrong, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// refuses fails the test if a command succeeds.
func refuses(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if ended := (*exec.ExitError)(nil); !errors.As(err, &ended) {
		t.Errorf("%v takes a file with a mistake: %v\n%s", cmd.Args, err, out)
	}
}

// TestGitHubTakesItsPipeline asks actionlint. What else is installed must not decide.
func TestGitHubTakesItsPipeline(t *testing.T) {
	lint := func(file string) *exec.Cmd {
		return exec.Command("go", "tool", "-modfile=actionlint.mod", "actionlint", "-shellcheck=", "-pyflakes=", file)
	}
	said(t, lint("github.yml"))
	refuses(t, lint(spoiled(t, "github.yml", "matrix.shard }}/4 ", "matrix.part }}/4 ")))
}

// TestGitLabTakesItsPipeline asks gitlab-ci-local, which has GitLab's schema.
func TestGitLabTakesItsPipeline(t *testing.T) {
	modules := os.Getenv("MAPSTACK_NODE_MODULES")
	if modules == "" {
		t.Skip("not run: set MAPSTACK_NODE_MODULES to the folder node_modules in which npm has installed gitlab-ci-local@4.53.0")
	}
	list := func(file string) *exec.Cmd {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ".gitlab-ci.yml"), read(t, file), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"init", "-q"}, {"remote", "add", "origin", "git@example.org:group/project.git"}} {
			said(t, exec.Command("git", append([]string{"-C", dir}, args...)...))
		}
		cmd := exec.Command(filepath.Join(modules, ".bin", "gitlab-ci-local"), "--list-csv")
		cmd.Dir = dir
		return cmd
	}
	jobs := said(t, list("gitlab.yml"))
	for _, job := range []string{"run: [1/4]", "run: [4/4]", "verdict"} {
		if !strings.Contains(jobs, job) {
			t.Errorf("the pipeline has no job %q:\n%s", job, jobs)
		}
	}
	refuses(t, list(spoiled(t, "gitlab.yml", "parallel: 4", "parallel: four")))
}

// TestKubernetesTakesItsObjects decodes them into Kubernetes' own types, which know every field.
func TestKubernetesTakesItsObjects(t *testing.T) {
	kinds := map[string]func() any{
		"ConfigMap": func() any { return &corev1.ConfigMap{} }, "PersistentVolumeClaim": func() any { return &corev1.PersistentVolumeClaim{} },
		"Job": func() any { return &batchv1.Job{} },
	}
	var jobs []*batchv1.Job
	for i, text := range bytes.Split(read(t, "kubernetes.yaml"), []byte("\n---\n")) {
		var is struct{ Kind string }
		if err := yaml.Unmarshal(text, &is); err != nil {
			t.Fatal(err)
		}
		kind, known := kinds[is.Kind]
		if !known {
			t.Fatalf("object %d is a %q, which this test does not know", i, is.Kind)
		}
		object := kind()
		if err := yaml.UnmarshalStrict(text, object); err != nil {
			t.Errorf("%s %d: %v", is.Kind, i, err)
		}
		if job, is := object.(*batchv1.Job); is {
			jobs = append(jobs, job)
		}
		if err := yaml.UnmarshalStrict(bytes.Replace(text, []byte("metadata:"), []byte("metadate:"), 1), kind()); err == nil {
			t.Errorf("%s %d with a wrong field is taken, so that nothing was checked", is.Kind, i)
		}
	}
	if len(jobs) != 2 {
		t.Fatalf("%d Jobs, want that of the shards and that of the verdict", len(jobs))
	}
	run, verdict := jobs[0].Spec, jobs[1].Spec
	if *run.CompletionMode != batchv1.IndexedCompletion {
		t.Error("the Job of the shards is not indexed")
	}
	args := run.Template.Spec.Containers[0].Args
	if want := fmt.Sprintf("auto/%d", *run.Completions); !slices.Contains(args, want) {
		t.Errorf("%v has no %s, and there are that many pods", args, want)
	}
	for _, s := range []batchv1.JobSpec{run, verdict} {
		if s.Template.Spec.Containers[0].Env[0] != run.Template.Spec.Containers[0].Env[0] {
			t.Error("both Jobs must have the same RUN, or the verdict is about other shards")
		}
	}
	if codes := verdict.PodFailurePolicy.Rules[0].OnExitCodes.Values; !slices.Equal(codes, []int32{1, 2}) {
		t.Errorf("%v end the Job of the verdict; 1 and 2 are verdicts, and it must try again after 69", codes)
	}
}

// TestLAVATakesItsJob asks the schemas of LAVA itself.
func TestLAVATakesItsJob(t *testing.T) {
	python := "/usr/bin/python3" // Debian's own has Debian's modules
	if err := exec.Command(python, "-c", "import lava_common.schemas").Run(); err != nil {
		t.Skip("not run: no lava_common here: apt-get install lava-common python3-voluptuous python3-yaml")
	}
	validate := func(file string) *exec.Cmd {
		return exec.Command(python, "-c", `
import sys, yaml
from lava_common import schemas
from lava_common.schemas.test import testdef
job = yaml.safe_load(open(sys.argv[1]))
schemas.validate(job, strict=True)
for action in job["actions"]:
    for definition in action.get("test", {}).get("definitions", []):
        testdef.validate(definition["repository"])
`, file)
	}
	said(t, validate("lava.yaml"))
	refuses(t, validate(spoiled(t, "lava.yaml", "method: qemu", "method: steam")))
	refuses(t, validate(spoiled(t, "lava.yaml", "Lava-Test Test Definition 1.0", "mine")))
}

// TestJenkinsTakesItsPipeline runs the file as Groovy, below a stub of the directives that a
// declarative pipeline may have. Jenkins' own check needs a server.
func TestJenkinsTakesItsPipeline(t *testing.T) {
	const groovy = "groovy"
	if err := exec.Command(groovy, "--version").Run(); err != nil {
		t.Skipf("not run: no groovy here (%v); apt-get install groovy default-jre-headless", err)
	}
	run := func(file string) *exec.Cmd {
		return exec.Command(groovy, "-Dfile.encoding=UTF-8", "testdata/declarative.groovy", file)
	}
	out := said(t, run("Jenkinsfile"))
	for _, step := range []string{"axis SHARD 1 2 3 4", `sh ./mapstack run --shard "$SHARD/4" --out "out/$SHARD" || [ $? -le 2 ]`, "unstash shard-4", "sh ./mapstack merge out/*/*"} {
		if !strings.Contains(out, step+"\n") {
			t.Errorf("the pipeline does not say %q:\n%s", step, out)
		}
	}
	refuses(t, run(spoiled(t, "Jenkinsfile", "agent none", "agents none")))
	refuses(t, run(spoiled(t, "Jenkinsfile", "steps {", "step {")))
}

// TestCompassCITakesItsJob checks what compass-ci demands, as it has no schema: the fields of a
// job, the parameters in the head of the script, and numbers alone from the counting.
func TestCompassCITakesItsJob(t *testing.T) {
	var job map[string]any
	if err := yaml.UnmarshalStrict(read(t, "compass-ci/jobs/mapstack.yaml"), &job); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"suite", "category", "testbox", "os", "os_version", "os_arch", "os_mount", "runtime", "mapstack"} {
		if job[field] == nil {
			t.Errorf("the job has no %s", field)
		}
	}
	if kinds := []any{"functional", "benchmark", "noise-benchmark"}; !slices.Contains(kinds, job["category"]) {
		t.Errorf("category is %v, and compass-ci has %v", job["category"], kinds)
	}
	given, is := job["mapstack"].(map[string]any)
	if !is {
		t.Fatalf("the parameters are %v", job["mapstack"])
	}
	var head []string
	for line := range strings.Lines(string(read(t, "compass-ci/tests/mapstack"))) {
		if name, is := strings.CutPrefix(line, "# - "); is {
			head = append(head, strings.TrimSpace(name))
		}
	}
	slices.Sort(head)
	if want := slices.Sorted(maps.Keys(given)); !slices.Equal(head, want) {
		t.Errorf("the script takes %q, and the job gives %q", head, want)
	}
	said(t, exec.Command("sh", "-n", "compass-ci/tests/mapstack"))

	count := exec.Command("compass-ci/stats/mapstack")
	count.Stdin = strings.NewReader(ktap)
	const want = "mapstack.AD-000: 1\nmapstack.AD-002: 0\nmapstack.error: 2\nmapstack.fail: 1\nmapstack.pass: 1\nmapstack.skip: 1\n"
	if got := said(t, count); got != want {
		t.Errorf("counted:\n%s\nwant:\n%s", got, want)
	}
}

// ktap has every kind of line that mapstack export --format ktap writes.
const ktap = `KTAP version 1
1..1
    KTAP version 1
    1..1
        KTAP version 1
        1..5
        ok 1 AD-000
        not ok 2 AD-002
        ok 3 AD-005 # SKIP unsupported: no such thing
        not ok 4 AD-006 # ERROR the agent is gone
        not ok 5 AD-007 # ERROR not-run: the kernel panicked
    not ok 1 address
not ok 1 native
`

// TestLAVAHearsEveryOutcome gives the filter of the job the same lines.
func TestLAVAHearsEveryOutcome(t *testing.T) {
	var job struct {
		Actions []struct {
			Test *struct {
				Definitions []struct {
					Repository struct{ Run struct{ Steps []string } }
				}
			}
		}
	}
	if err := yaml.Unmarshal(read(t, "lava.yaml"), &job); err != nil {
		t.Fatal(err)
	}
	steps := job.Actions[len(job.Actions)-1].Test.Definitions[0].Repository.Run.Steps
	_, filter, found := strings.Cut(steps[len(steps)-1], "| ")
	filter, found2 := strings.CutSuffix(filter, " | sh")
	if !found || !found2 {
		t.Fatalf("the last step is no filter between two pipes: %s", steps[len(steps)-1])
	}
	cmd := exec.Command("sh", "-c", filter)
	cmd.Stdin = strings.NewReader(ktap)
	const want = "lava-test-case AD-000 --result pass\nlava-test-case AD-002 --result fail\nlava-test-case AD-005 --result skip\n" +
		"lava-test-case AD-006 --result unknown\nlava-test-case AD-007 --result unknown\n"
	if got := said(t, cmd); got != want {
		t.Errorf("signals:\n%s\nwant:\n%s", got, want)
	}
}

package page

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mapstack/conformance/harness/judge/verdict"
)

// reader returns the folder of a tool of others. None is kept here because of their licences and
// their size. CI installs them; .ci/run has the versions. A browser named chromium must be in
// PATH too.
func reader(t *testing.T, name string) string {
	t.Helper()
	const variable = "MAPSTACK_NODE_MODULES"
	folder := os.Getenv(variable)
	if folder == "" {
		t.Skipf("not run: %s of others was not asked; set %s to a node_modules folder with it", name, variable)
	}
	folder, err := filepath.Abs(folder)
	if err == nil {
		_, err = os.Stat(filepath.Join(folder, name))
	}
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return folder
}

// answer runs a script of node with an input, and reads its answer, one JSON value. The script
// finds the tools of others in modules.
func answer(t *testing.T, modules, script string, input, into any) {
	t.Helper()
	text, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "-e", script)
	cmd.Stdin = bytes.NewReader(text)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		t.Fatalf("node: %v\n%s%s", err, out, stderr.String())
	}
}

// pages returns the pages that the tools are asked about, by name.
func pages(t *testing.T) map[string]string {
	t.Helper()
	r, cells, dir := whole("x")
	one := r.Outcomes[0]
	r.Outcomes = nil
	for _, s := range []verdict.Status{verdict.Pass, verdict.Fail, verdict.Error, verdict.NotRun, verdict.Unsupported} {
		one.Status, one.Claim, one.Known = s, "MS-00"+string(s), verdict.Known{}
		c := r.Claims[0]
		c.ID = one.Claim
		r.Claims, r.Outcomes = append(r.Claims, c), append(r.Outcomes, one)
	}
	one.Status, one.Claim, one.Known = verdict.Fail, "MS-001", verdict.Known{Reason: "x", Link: "x"}
	r.Outcomes = append(r.Outcomes, one)
	before, after := differing("x")
	return map[string]string{"report": render(t, r, cells, dir), "changes": changesOf(t, before, after), "load": loads(t, "x")}
}

// TestTheMarkupIsValid fails if html-validate finds a fault in a page.
func TestTheMarkupIsValid(t *testing.T) {
	modules := reader(t, "html-validate")
	// Names of cells have dots, which HTML allows in an id.
	const script = `
const {HtmlValidate, StaticConfigLoader} = require("html-validate");
const v = new HtmlValidate(new StaticConfigLoader({root: true, extends: ["html-validate:recommended"], rules: {"valid-id": ["error", {relaxed: true}]}}));
const pages = JSON.parse(require("fs").readFileSync(0, "utf8")), found = [];
(async () => {
  for (const name in pages) for (const r of (await v.validateString(pages[name])).results)
    for (const m of r.messages) found.push(name + " line " + m.line + ": " + m.ruleId + ": " + m.message);
  console.log(JSON.stringify(found));
})();`
	var found []string
	answer(t, modules, script, map[string]string{"no page": "<p>"}, &found)
	if len(found) == 0 {
		t.Error("html-validate finds no fault in half a page")
	}
	answer(t, modules, script, pages(t), &found)
	if len(found) > 0 {
		t.Errorf("html-validate finds:\n%s", strings.Join(found, "\n"))
	}
}

// browse is the beginning of a script that opens pages in a browser. files are their paths.
const browse = `
const {chromium} = require("playwright-core");
const input = JSON.parse(require("fs").readFileSync(0, "utf8"));
const run = async f => {
  const b = await chromium.launch({executablePath: input.browser, args: ["--no-sandbox"]});
  try { console.log(JSON.stringify(await f(b))); } finally { await b.close(); }
};
`

// opened writes pages to files, and returns what a script that begins with browse is given.
func opened(t *testing.T, pages map[string]string) map[string]any {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("MAPSTACK_NODE_MODULES is set, and there is no browser: %v", err)
	}
	folder, files := t.TempDir(), map[string]string{}
	for name, text := range pages {
		files[name] = filepath.Join(folder, name+".html")
		if err := os.WriteFile(files[name], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return map[string]any{"browser": browser, "files": files}
}

// TestNobodyIsKeptOut fails if axe-core has a serious finding about a page, in both languages
// and colours, wide and narrow, folded, opened, and with the evidence of an outcome. It also
// fails if the page throws an error or breaks its own policy for content.
func TestNobodyIsKeptOut(t *testing.T) {
	modules := reader(t, "axe-core")
	reader(t, "playwright-core")
	const script = browse + `
run(async b => {
  const found = [];
  let checked = 0;
  for (const name in input.files) for (const [lang, theme, width] of [["en", "light", 1280], ["zh", "dark", 1280], ["zh", "light", 390], ["en", "dark", 390]]) {
    const what = [name, lang, theme, width].join(" ");
    const p = await b.newPage({viewport: {width, height: 900}});
    p.on("console", m => { if (m.type() === "error") found.push(what + ": " + m.text()); });
    p.on("pageerror", e => found.push(what + ": " + e));
    await p.goto("file://" + input.files[name] + "?lang=" + lang + "&theme=" + theme);
    const check = async view => {
      await p.evaluate(input.axe);
      const r = await p.evaluate(() => axe.run());
      checked += r.passes.length;
      for (const v of r.violations) if (["serious", "critical"].includes(v.impact)) found.push([what, view, v.impact, v.id, v.nodes[0].html].join(" | "));
      const over = await p.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) found.push([what, view, "is too wide by", over].join(" "));
    };
    await check("folded");
    const closed = "main details:not([open]) > summary, [aria-expanded=false]";
    for (let n = await p.locator(closed).count(); n > 0; n--) await p.locator(closed).first().click();
    await check("opened");
    const mark = p.locator("td button[data-id]");
    if (await mark.count()) {
      await mark.first().focus();
      await p.keyboard.press("Enter");
      await p.locator("#detail h2").waitFor();
      await check("evidence");
      await p.keyboard.press("Escape");
      if (!await p.evaluate(() => document.activeElement.matches("td button"))) found.push(what + ": the focus is lost after the evidence");
    }
    await p.close();
  }
  return {found, checked};
});`
	axe, err := os.ReadFile(filepath.Join(modules, "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	bad := `<!DOCTYPE html><html><body><main><img src="data:,"></main>`
	for name, all := range map[string]map[string]string{"a page that keeps people out": {"bad": bad}, "ours": pages(t)} {
		var got struct {
			Found   []string
			Checked int
		}
		in := opened(t, all)
		in["axe"] = string(axe)
		answer(t, modules, script, in, &got)
		if (name == "ours") != (len(got.Found) == 0) || got.Checked == 0 {
			t.Errorf("%s: %d rules hold, and found:\n%s", name, got.Checked, strings.Join(got.Found, "\n"))
		}
	}
}

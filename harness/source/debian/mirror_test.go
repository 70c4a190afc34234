package debian

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

const (
	deb822 = `# comment
Types: deb
# http://snapshot.example.org/archive/debian/20250520T000000Z
URIs: http://deb.example.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.example.org/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`
	thirdParty = `Types: deb
URIs: https://node.example.org/node
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/nodesource.gpg
`
)

func TestMirrorIsDebiansOwnArchive(t *testing.T) {
	const dir = "etc/apt/sources.list.d/"
	for _, tc := range []struct {
		name  string
		env   string
		files map[string]string
		want  string // URL, or "" for none
		from  string
	}{
		{"set by hand", "https://mirror.example.org/debian/", map[string]string{dir + "debian.sources": deb822}, "https://mirror.example.org/debian", "MAPSTACK_MIRROR"},
		{"a local archive", "file:///srv/debian", nil, "file:///srv/debian", "MAPSTACK_MIRROR"},
		{"deb822", "", map[string]string{dir + "debian.sources": deb822}, "http://deb.example.org/debian", "/" + dir + "debian.sources"},
		{"third party first", "", map[string]string{dir + "a.sources": thirdParty, dir + "z.sources": deb822}, "http://deb.example.org/debian", "/" + dir + "z.sources"},
		{"third party only", "", map[string]string{dir + "a.sources": thirdParty}, "", ""},
		{"disabled", "", map[string]string{dir + "a.sources": "Enabled: no\n" + strings.TrimPrefix(deb822, "# comment\n")}, "", ""},
		{"field names in another case", "", map[string]string{dir + "a.sources": "types: deb deb-src\nuris: http://a.example.org/debian\nSUITES: trixie\ncomponents: main contrib\n"}, "http://a.example.org/debian", "/" + dir + "a.sources"},
		{"one line", "", map[string]string{"etc/apt/sources.list": "# deb http://old.example.org/debian sid main\ndeb-src http://src.example.org/debian trixie main\ndeb http://one.example.org/debian trixie main non-free # mine\n"}, "http://one.example.org/debian", "/etc/apt/sources.list"},
		{"one line with options", "", map[string]string{dir + "x.list": "deb [ arch=amd64 signed-by=/k/debian-archive-keyring.gpg ] http://one.example.org/debian trixie main\n"}, "http://one.example.org/debian", "/" + dir + "x.list"},
		{"options without spaces around", "", map[string]string{dir + "x.list": "deb [arch=amd64]http://one.example.org/debian trixie main\n"}, "http://one.example.org/debian", "/" + dir + "x.list"},
		{"security only", "", map[string]string{"etc/apt/sources.list": "deb http://sec.example.org/debian-security trixie-security main\n"}, "", ""},
		{"other component", "", map[string]string{"etc/apt/sources.list": "deb http://docker.example.org/linux/debian trixie stable\n"}, "", ""},
		{"another distribution", "", map[string]string{"etc/apt/sources.list": "deb http://ubuntu.example.org/ubuntu noble main\n"}, "", ""},
		{"transport we cannot use", "", map[string]string{"etc/apt/sources.list": "deb cdrom:[Debian]/ trixie main\ndeb mirror+file:/etc/mirrors trixie main\n"}, "", ""},
		{"unsigned stranger before the archive", "", map[string]string{"etc/apt/sources.list": "deb http://apt.example.org/tools trixie main\ndeb http://one.example.org/debian trixie main\n"}, "http://one.example.org/debian", "/etc/apt/sources.list"},
		{"archive at an odd path", "", map[string]string{"etc/apt/sources.list": "deb http://one.example.org/ trixie main\n"}, "http://one.example.org", "/etc/apt/sources.list"},
		{"no apt", "", nil, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range tc.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			m, err := FindMirror(t.Context(), Host{Root: root, Getenv: env("MAPSTACK_MIRROR", tc.env)})
			if tc.want == "" {
				said(t, err, "set MAPSTACK_MIRROR")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if m.URL.String() != tc.want || m.Source != tc.from || m.IgnoreValidUntil != "" {
				t.Errorf("mirror is %s from %s (%q), want %s from %s", m.URL, m.Source, m.IgnoreValidUntil, tc.want, tc.from)
			}
		})
	}
}

func TestMirrorOfAnUnusableSchemeIsRefused(t *testing.T) {
	for _, v := range []string{"ftp://a.example.org/debian", "a.example.org/debian", "http:///debian", "file://host/x", "http://a.example.org/?x=1", "::"} {
		_, err := FindMirror(t.Context(), Host{Root: fstest.MapFS{}, Getenv: env("MAPSTACK_MIRROR", v)})
		said(t, err, "MAPSTACK_MIRROR")
	}
}

func env(name, value string) func(string) string {
	return func(n string) string {
		if n == name {
			return value
		}
		return ""
	}
}

func TestValidUntilIsIgnoredOnlyWhenSomebodyAsked(t *testing.T) {
	noApt := errors.New("apt-config is broken")
	for _, tc := range []struct {
		name, env, dump string
		dumpErr         error
		want            string // what is in the reason, "" for checking
		fails           bool
	}{
		{"nobody", "", `APT::Architecture "amd64";`, nil, "", false},
		{"apt", "", "Acquire \"\";\nAcquire::Check-Valid-Until \"false\";\n", nil, "apt configuration", false},
		{"apt in other words", "", `acquire::check-valid-until "0";`, nil, "apt configuration", false},
		{"apt says yes", "", `Acquire::Check-Valid-Until "true";`, nil, "", false},
		{"apt's last word counts", "", "Acquire::Check-Valid-Until \"false\";\nAcquire::Check-Valid-Until \"true\";\n", nil, "", false},
		{"the environment", "no", "", nil, "MAPSTACK_CHECK_VALID_UNTIL", false},
		{"the environment over apt", "yes", `Acquire::Check-Valid-Until "false";`, nil, "", false},
		{"a misspelt environment", "nope", "", nil, "", true},
		{"broken apt", "", "", noApt, "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ignoreValidUntil(t.Context(), Host{
				Getenv:    env("MAPSTACK_CHECK_VALID_UNTIL", tc.env),
				AptConfig: func(context.Context) ([]byte, error) { return []byte(tc.dump), tc.dumpErr },
			})
			if (err != nil) != tc.fails {
				t.Fatalf("error %v, want one: %v", err, tc.fails)
			}
			if (got != "") != (tc.want != "") || !strings.Contains(got, tc.want) {
				t.Errorf("reason is %q, want %q", got, tc.want)
			}
		})
	}
}

func FuzzAptSources(f *testing.F) {
	f.Add([]byte(deb822))
	f.Add([]byte(thirdParty))
	f.Add([]byte("deb [ arch=amd64 ] http://one.example.org/debian trixie main\n"))
	f.Add([]byte("deb [signed-by=x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range append(parseDeb822(data), parseOneLine(data)...) {
			if !s.debianArchive() {
				continue
			}
			for _, uri := range s.uris {
				u, err := mirrorURL(uri)
				if err == nil && u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "file" {
					t.Errorf("accepted scheme %q", u.Scheme)
				}
			}
		}
	})
}

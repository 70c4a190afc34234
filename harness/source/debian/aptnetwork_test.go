package debian

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/progress"
)

// machineWith returns a host with files and a configuration of apt.
func machineWith(dump string, files map[string]string) Host {
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Host{Root: root, Getenv: func(string) string { return "" }, AptConfig: func(context.Context) ([]byte, error) { return []byte(dump), nil }}
}

// TestAptsProxyIsUsed fails if a closed network, whose only way out is in apt's configuration,
// has no way out for mapstack, or if a host that apt asks directly is asked by way of the proxy.
func TestAptsProxyIsUsed(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		_, _ = io.WriteString(w, "by proxy: "+r.URL.String()+" "+user+" "+password)
	}))
	defer proxy.Close()
	direct := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "direct") }))
	defer direct.Close()
	h := machineWith("Acquire::http::Proxy \""+proxy.URL+"\";\nAcquire::http::Proxy::127.0.0.1 \"DIRECT\";\n", map[string]string{
		"etc/apt/sources.list":           "deb http://deb.invalid/debian trixie main\n",
		"etc/apt/auth.conf":              "# comment\nmachine http://deb.invalid/debian login me password secret\n",
		"etc/apt/auth.conf.d/other.conf": "machine deb.invalid login https-only password x\nmachine http://other.invalid login a password b",
	})
	m, err := FindMirror(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	client := newHTTP(m)
	for address, want := range map[string]string{
		"http://deb.invalid/debian/dists/x": "by proxy: http://deb.invalid/debian/dists/x me secret",
		"http://deb.invalid/elsewhere":      "by proxy: http://deb.invalid/elsewhere  ",
		"http://other.invalid/":             "by proxy: http://other.invalid/ a b",
		direct.URL:                          "direct",
	} {
		answer, err := client.Get(address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || string(body) != want {
			t.Errorf("%s: %q, want %q, %v", address, body, want, err)
		}
	}
	// What https takes, and a value that is no proxy.
	u := &url.URL{Scheme: "https", Host: "a.invalid"}
	if value, known := m.Network.apts(u); !known || value != proxy.URL {
		t.Errorf("https: %q", value)
	}
	n, err := network(machineWith("", nil), []byte(`Acquire::http::Proxy "secret-of-mine";`))
	if err != nil {
		t.Fatal(err)
	}
	n.first = true
	if _, err := n.proxy(&http.Request{URL: &url.URL{Scheme: "http", Host: "a.invalid"}}); err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "Acquire::http::Proxy") {
		t.Errorf("a value that is no proxy: %v", err)
	}
}

// TestAPasswordGoesToItsOwnMachineAlone fails if an entry of auth.conf is sent to another host, in
// the clear without a word, or to where a mirror redirects.
func TestAPasswordGoesToItsOwnMachineAlone(t *testing.T) {
	all := parseAuth([]byte("machine deb.example/debian login u password p machine http://plain.example:8080 login v password w\nmachine none.example password x"))
	if len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	for address, want := range map[string]string{
		"https://deb.example/debian/pool": "u", "https://deb.example/other": "", "http://deb.example/debian/pool": "", "https://xdeb.example/debian": "",
		"http://plain.example:8080/": "v", "http://plain.example/": "", "https://plain.example:8080/": "",
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, l := range all {
			if l.of(u) {
				got = l.user
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

// TestAListOfMirrorsIsReadInItsOrder fails if a mirror is asked before one that is preferred, or
// one that has only a part of the files.
func TestAListOfMirrorsIsReadInItsOrder(t *testing.T) {
	list := "# mine\nhttp://last.example/debian\nhttp://b.example/debian/\tpriority:2\nftp://no.example/debian\nhttps://a.example/debian\tarch:amd64 priority:1\nhttp://indexes.example/debian\tpriority:1 type:index\n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, list) }))
	defer server.Close()
	for _, uri := range []string{"mirror+file:/etc/apt/mirrors.txt", "mirror+file:///etc/apt/mirrors.txt", "mirror+" + server.URL + "/l", strings.Replace(server.URL, "http:", "mirror:", 1)} {
		m, err := FindMirror(t.Context(), machineWith("", map[string]string{"etc/apt/mirrors.txt": list, "etc/apt/sources.list": "deb " + uri + " trixie main\n"}))
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		got := m.URL.String()
		for _, u := range m.Others {
			got += " " + u.String()
		}
		if got != "https://a.example/debian http://b.example/debian http://last.example/debian" {
			t.Errorf("%s: %s", uri, got)
		}
	}
	for uri, want := range map[string]string{"mirror+file:/gone": "list of mirrors gone", "mirror+cdrom:/x": "by cdrom"} {
		_, err := FindMirror(t.Context(), machineWith("", map[string]string{"etc/apt/sources.list": "deb " + uri + " trixie main\n"}))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "set MAPSTACK_MIRROR") {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

// TestTheNextMirrorIsAsked fails if a mirror of a list that does not answer, or lacks a file, ends
// a run while another one has it.
func TestTheNextMirrorIsAsked(t *testing.T) {
	lacks := httptest.NewServer(http.NotFoundHandler())
	defer lacks.Close()
	has := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "whole") }))
	defer has.Close()
	store, err := cache.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) *url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	c := NewClient(store, Mirror{URL: at("http://127.0.0.1:1"), Others: []*url.URL{at(lacks.URL), at(has.URL)}}, nil, progress.Discard)
	c.patience.pause = 0
	var got bytes.Buffer
	if err := c.get(t.Context(), &download{path: "pool/x", what: "x", size: 5, w: &got}); err != nil || got.String() != "whole" {
		t.Errorf("%q, %v", &got, err)
	}
	c = NewClient(store, Mirror{URL: at(lacks.URL), Others: []*url.URL{at(lacks.URL)}}, nil, progress.Discard)
	if err := c.get(t.Context(), &download{path: "pool/x", what: "x", size: 5, w: &got}); !errors.Is(err, ErrGone) {
		t.Errorf("no mirror has it: %v", err)
	}
}

func FuzzAptNetwork(f *testing.F) {
	f.Add([]byte("machine a login b password c"))
	f.Add([]byte("http://a/debian\tpriority:1"))
	f.Add([]byte(`Acquire::http::Proxy "http://a:1";`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, l := range parseAuth(text) {
			if l.host == "" || l.user == "" {
				t.Errorf("%+v", l)
			}
		}
		for _, u := range parseMirrors(text) {
			if u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "file" {
				t.Errorf("accepted scheme %q", u.Scheme)
			}
		}
		settings(text)
	})
}

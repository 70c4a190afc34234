package debian

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Network is what a machine's apt knows of the way to its archives: proxies, passwords and
// mirrors in turn. The zero Network knows nothing.
type Network struct {
	// proxies are the values of Acquire::http::Proxy and its kind: the proxy by "http" or "https",
	// and by "http::host" that of one host. apt.conf(5), apt-transport-http(1).
	proxies map[string]string
	// first says that apt's proxies come before those of the environment.
	first  bool
	logins []login
	// unread are files of passwords that this user may not read.
	unread []string
}

// login is an entry of apt_auth.conf(5).
type login struct {
	scheme         string // "" for https
	host, port     string
	path           string // that a URL's path must begin with; "" for all
	user, password string
}

// maxAuth is far above the size of any real file of passwords, or list of mirrors.
const maxAuth = 1 << 20

// network reads the machine's apt configuration. dump is what apt-config prints; nil without apt.
func network(h Host, dump []byte) (n Network, err error) {
	n.proxies = map[string]string{}
	for name, value := range settings(dump) {
		for _, scheme := range []string{"http", "https"} {
			key, is := strings.CutPrefix(name, "acquire::"+scheme+"::proxy")
			switch host, of := strings.CutPrefix(key, "::"); {
			case is && key == "":
				n.proxies[scheme] = value
			case is && of:
				n.proxies[scheme+"::"+host] = value
			}
		}
	}
	files := []string{"etc/apt/auth.conf"}
	more, err := fs.Glob(h.Root, "etc/apt/auth.conf.d/*.conf")
	if err != nil {
		return n, fmt.Errorf("list apt's passwords: %w", err)
	}
	for _, file := range append(files, more...) {
		text, err := readBounded(h.Root, file, maxAuth)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, fs.ErrPermission):
			n.unread = append(n.unread, "/"+file)
		case err != nil:
			return n, fmt.Errorf("read apt's passwords in /%s: %w; correct the file", file, err)
		default:
			n.logins = append(n.logins, parseAuth(text)...)
		}
	}
	return n, nil
}

// settings returns the options that apt-config prints, by their names in lower case. Of several
// values the last one holds.
func settings(dump []byte) map[string]string {
	all := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(dump))
	lines.Buffer(nil, maxAuth)
	for lines.Scan() {
		name, value, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(lines.Text()), ";"), " ")
		all[strings.ToLower(name)] = strings.Trim(value, `"`)
	}
	return all
}

// parseAuth reads the words of a file of passwords. An entry without a user is left out, as apt
// does.
func parseAuth(text []byte) (all []login) {
	var words []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			words = append(words, strings.Fields(line)...)
		}
	}
	for i := 0; i+1 < len(words); i += 2 {
		switch value := words[i+1]; words[i] {
		case "machine":
			all = append(all, machine(value))
		case "login":
			if len(all) > 0 {
				all[len(all)-1].user = value
			}
		case "password":
			if len(all) > 0 {
				all[len(all)-1].password = value
			}
		}
	}
	return slices.DeleteFunc(all, func(l login) bool { return l.host == "" || l.user == "" })
}

// machine reads [scheme://]host[:port][/path].
func machine(text string) (l login) {
	if scheme, rest, found := strings.Cut(text, "://"); found {
		l.scheme, text = strings.ToLower(scheme), rest
	}
	text, below, _ := strings.Cut(text, "/")
	if below != "" {
		l.path = "/" + below
	}
	l.host, l.port, _ = strings.Cut(strings.ToLower(text), ":")
	return l
}

// of reports whether an entry is for a URL. One without a scheme is for https alone, so that no
// password travels in the clear.
func (l login) of(u *url.URL) bool {
	scheme := l.scheme
	if scheme == "" {
		scheme = "https"
	}
	return u.Scheme == scheme && strings.EqualFold(u.Hostname(), l.host) && (l.port == "" || l.port == u.Port()) && strings.HasPrefix(u.EscapedPath(), l.path)
}

// proxy returns the proxy of a request, as http.Transport asks.
func (n Network) proxy(r *http.Request) (*url.URL, error) {
	here, err := http.ProxyFromEnvironment(r)
	value, known := n.apts(r.URL)
	if !known || here != nil && !n.first || err != nil && !n.first {
		return here, err
	}
	if value == "" || strings.EqualFold(value, "DIRECT") {
		return nil, nil
	}
	u, err := url.Parse(value)
	if err == nil && (u.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme)) {
		err = errors.New("it is no http, https or socks5h URL")
	}
	if err != nil {
		// The value may hold a password.
		return nil, &finalError{errors.New("the proxy in apt's configuration (Acquire::" + r.URL.Scheme + "::Proxy) cannot be used; correct it there")}
	}
	return u, nil
}

// apts returns the proxy that apt would take for a URL. known says that apt's configuration names
// one.
func (n Network) apts(u *url.URL) (value string, known bool) {
	schemes := []string{u.Scheme}
	if u.Scheme == "https" {
		schemes = append(schemes, "http") // apt-transport-https(1): the default is that of http
	}
	host := strings.ToLower(u.Hostname())
	for _, s := range schemes {
		for _, key := range []string{s + "::" + host, s} {
			if value, known = n.proxies[key]; known && value != "" {
				return value, true
			}
		}
	}
	return "", false
}

// authorized sends the passwords of apt along.
type authorized struct {
	Network
	next *http.Transport
}

// CloseIdleConnections is called by that of http.Client.
func (a authorized) CloseIdleConnections() { a.next.CloseIdleConnections() }

// RoundTrip sends a request. Each redirection is a request of its own, so that a password goes to
// its own machine alone.
func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.User != nil || r.Header.Get("Authorization") != "" {
		return a.next.RoundTrip(r)
	}
	i := slices.IndexFunc(a.logins, func(l login) bool { return l.of(r.URL) })
	if i < 0 {
		return a.next.RoundTrip(r)
	}
	r = r.Clone(r.Context()) // a RoundTripper must not change what it is given
	r.SetBasicAuth(a.logins[i].user, a.logins[i].password)
	return a.next.RoundTrip(r)
}

// listWait bounds the download of a list of mirrors, which is a small file.
const listWait = 30 * time.Second

// mirrors returns the addresses that an entry of apt's sources stands for: its own, or those of a
// list of mirrors (apt-transport-mirror(1)), the preferred ones first.
func (h Host) mirrors(ctx context.Context, n Network, uri string) ([]*url.URL, error) {
	transport, rest, found := strings.Cut(uri, ":")
	switch {
	case found && transport == "mirror":
		transport = "mirror+http"
	case !found || !strings.HasPrefix(transport, "mirror+"):
		u, err := mirrorURL(uri)
		if err != nil {
			return nil, err
		}
		return []*url.URL{u}, nil
	}
	var text []byte
	var err error
	switch scheme := strings.TrimPrefix(transport, "mirror+"); scheme {
	case "file":
		name := strings.TrimLeft(rest, "/")
		if !fs.ValidPath(name) {
			return nil, fmt.Errorf("the list of mirrors %s is no path", rest)
		}
		text, err = readBounded(h.Root, name, maxAuth)
	case "http", "https":
		text, err = n.download(ctx, scheme+":"+rest)
	default:
		return nil, fmt.Errorf("a list of mirrors by %s cannot be read", scheme)
	}
	if err != nil {
		return nil, fmt.Errorf("read apt's list of mirrors %s: %w", path.Base(rest), err)
	}
	all := parseMirrors(text)
	if len(all) == 0 {
		return nil, fmt.Errorf("apt's list of mirrors %s has no http, https or file URL", path.Base(rest))
	}
	return all, nil
}

// download reads a small file.
func (n Network) download(ctx context.Context, from string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	answer, err := newHTTP(Mirror{Network: n}).Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server says %s", answer.Status)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAuth+1))
	if err == nil && len(text) > maxAuth {
		err = fmt.Errorf("it is larger than %d bytes", maxAuth)
	}
	return text, err
}

// parseMirrors reads a list of mirrors: a URL on each line, and after a tab what it is good for.
// The lowest priority is asked first. A mirror for indexes or packages alone is left out, as is
// what is no address of a mirror.
func parseMirrors(text []byte) []*url.URL {
	type ranked struct {
		u    *url.URL
		rank int
	}
	var all []ranked
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		address, about, _ := strings.Cut(line, "\t")
		u, err := mirrorURL(strings.TrimSpace(address))
		if err != nil {
			continue
		}
		one := ranked{u, math.MaxInt}
		for _, word := range strings.Fields(about) {
			switch name, value, _ := strings.Cut(word, ":"); name {
			case "priority":
				if rank, err := strconv.Atoi(value); err == nil && rank > 0 {
					one.rank = rank
				}
			case "type":
				one.u = nil
			}
		}
		if one.u != nil {
			all = append(all, one)
		}
	}
	slices.SortStableFunc(all, func(a, b ranked) int {
		switch {
		case a.rank < b.rank:
			return -1
		case a.rank > b.rank:
			return 1
		}
		return 0
	})
	var list []*url.URL
	for _, r := range all {
		list = append(list, r.u)
	}
	return list
}

// readBounded reads a small file.
func readBounded(root fs.FS, name string, limit int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("it is larger than %d bytes", limit)
	}
	return data, err
}

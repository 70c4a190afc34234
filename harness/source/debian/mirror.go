package debian

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path"
	"strings"
	"syscall"
	"time"
)

// Mirror is the archive that packages come from.
type Mirror struct {
	URL    *url.URL // the directory that holds dists/ and pool/; nil when none is known
	Source string   // where the choice comes from: "MAPSTACK_MIRROR" or a file of apt's
	// IgnoreValidUntil names who asked to accept an expired InRelease; empty if
	// nobody did.
	IgnoreValidUntil string
	// AcceptOlder names who asked to accept an InRelease that is older than one seen
	// before; empty if nobody did.
	AcceptOlder string
	// Others are mirrors with the same files, of apt's list of mirrors. They are asked in turn
	// if this one cannot be reached or lacks a file.
	Others []*url.URL
	// Network is the way there.
	Network Network
	// Second is another mirror, which is asked for a package that this one does not have;
	// nil if there is none.
	Second *url.URL
	// Bundle holds the files of a mirror. If it is set, packages come from there
	// alone.
	Bundle fs.FS
	// Offline makes every download an error that names the missing file.
	Offline bool
	// Remedy says what to do about a mirror that does not serve what it should; "" for Debian's
	// archive, where MAPSTACK_MIRROR names another one.
	Remedy string
}

// or returns what to do about the mirror: usual, unless there is a Remedy.
func (m Mirror) or(usual string) string {
	if m.Remedy != "" {
		return m.Remedy
	}
	return usual
}

// Name returns how readers know the mirror: its URL without a password, or where it is from.
func (m Mirror) Name() string {
	if m.URL == nil {
		return m.Source
	}
	return m.URL.Redacted()
}

// Host is the part of a machine that FindMirror reads.
type Host struct {
	Root      fs.FS                                     // its file system
	Getenv    func(string) string                       // its environment
	AptConfig func(ctx context.Context) ([]byte, error) // what `apt-config dump` prints; nil without apt
}

// ThisHost is the machine this process runs on.
func ThisHost() Host {
	h := Host{Root: os.DirFS("/"), Getenv: os.Getenv}
	if path, err := exec.LookPath("apt-config"); err == nil {
		h.AptConfig = func(ctx context.Context) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, aptConfigWait)
			defer cancel()
			cmd := exec.CommandContext(ctx, path, "dump")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
			return cmd.Output()
		}
	}
	return h
}

// aptConfigWait bounds a program that only reads a few small files.
const aptConfigWait = 10 * time.Second

// OfflineVariable forbids every download when it is 1.
const OfflineVariable = "MAPSTACK_OFFLINE"

// FindMirror returns the mirror in MAPSTACK_MIRROR. If that is unset, it returns the
// Debian archive of the machine's apt configuration.
func FindMirror(ctx context.Context, h Host) (Mirror, error) {
	switch v := h.Getenv(OfflineVariable); v {
	case "1":
		return Mirror{Source: OfflineVariable, Offline: true}, nil
	case "", "0":
	default:
		return Mirror{}, fmt.Errorf("%s is %q; use 1 or 0", OfflineVariable, v)
	}
	var dump []byte
	if h.AptConfig != nil {
		dump, _ = h.AptConfig(ctx) // ignoreValidUntil says why it fails, where that matters
	}
	n, err := network(h, dump)
	if err != nil {
		return Mirror{}, err
	}
	m, err := chooseMirror(ctx, h, n)
	if err != nil {
		return Mirror{}, err
	}
	m.IgnoreValidUntil, err = ignoreValidUntil(ctx, h)
	if err != nil {
		return Mirror{}, err
	}
	switch v := h.Getenv("MAPSTACK_ACCEPT_OLDER"); v {
	case "yes":
		m.AcceptOlder = "MAPSTACK_ACCEPT_OLDER=yes"
	case "", "no":
	default:
		return Mirror{}, fmt.Errorf("MAPSTACK_ACCEPT_OLDER is %q; use yes or no", v)
	}
	if v := h.Getenv(SnapshotVariable); v != "" {
		if m.Second, err = mirrorURL(v); err != nil {
			return Mirror{}, fmt.Errorf("%s: %w", SnapshotVariable, err)
		}
	}
	return m, nil
}

// SnapshotVariable names a mirror that keeps what others have dropped.
const SnapshotVariable = "MAPSTACK_SNAPSHOT"

func chooseMirror(ctx context.Context, h Host, n Network) (Mirror, error) {
	if v := h.Getenv("MAPSTACK_MIRROR"); v != "" {
		u, err := mirrorURL(v)
		if err != nil {
			return Mirror{}, fmt.Errorf("MAPSTACK_MIRROR: %w", err)
		}
		return Mirror{URL: u, Source: "MAPSTACK_MIRROR", Network: n}, nil
	}
	sources, err := aptSources(h.Root)
	if err != nil {
		return Mirror{}, err
	}
	n.first = true // as apt itself
	var second *Mirror
	var unread error
	for _, s := range sources {
		if !s.debianArchive() {
			continue
		}
		var all []*url.URL
		for _, uri := range s.uris {
			found, err := h.mirrors(ctx, n, uri)
			if err != nil && strings.HasPrefix(uri, "mirror") {
				unread = fmt.Errorf("%w (of %s)", err, s.file)
			}
			all = append(all, found...)
		}
		if len(all) == 0 {
			continue
		}
		m := Mirror{URL: all[0], Others: all[1:], Source: s.file, Network: n}
		if strings.Contains(s.signedBy, "debian-archive") || path.Base(m.URL.Path) == "debian" {
			return m, nil
		}
		if second == nil {
			second = &m
		}
	}
	if second != nil {
		return *second, nil
	}
	if unread != nil {
		return Mirror{}, fmt.Errorf("find a Debian mirror: %w; correct it, or set MAPSTACK_MIRROR to the URL of a mirror", unread)
	}
	return Mirror{}, errors.New("find a Debian mirror: MAPSTACK_MIRROR is not set and this machine's apt configuration lists no Debian archive; " +
		"set MAPSTACK_MIRROR to the URL of one (the directory that holds dists/ and pool/)")
}

// mirrorURL accepts the URL schemes that downloads support.
func mirrorURL(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil {
		return nil, fmt.Errorf("%q is not a URL: %w", s, err)
	}
	switch {
	case u.RawQuery != "" || u.Fragment != "" || u.Opaque != "":
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return u, nil
	case u.Scheme == "file" && u.Host == "" && path.IsAbs(u.Path):
		return u, nil
	}
	return nil, fmt.Errorf("%q is not the address of a mirror; give an http, https or file URL without query", u.Redacted())
}

// ignoreValidUntil returns who asked not to check Valid-Until, or "".
func ignoreValidUntil(ctx context.Context, h Host) (string, error) {
	switch v := h.Getenv("MAPSTACK_CHECK_VALID_UNTIL"); v {
	case "no":
		return "MAPSTACK_CHECK_VALID_UNTIL=no", nil
	case "yes":
		return "", nil
	case "":
	default:
		return "", fmt.Errorf("MAPSTACK_CHECK_VALID_UNTIL is %q; use yes or no", v)
	}
	if h.AptConfig == nil {
		return "", nil
	}
	dump, err := h.AptConfig(ctx)
	if err != nil {
		return "", fmt.Errorf("read apt's configuration with apt-config dump: %w; set MAPSTACK_CHECK_VALID_UNTIL to yes or no to do without it", err)
	}
	lines := bufio.NewScanner(strings.NewReader(string(dump)))
	ignore := ""
	for lines.Scan() {
		name, value, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(lines.Text()), ";"), " ")
		if !strings.EqualFold(name, "Acquire::Check-Valid-Until") {
			continue
		}
		ignore = ""
		if aptFalse(strings.Trim(value, `"`)) {
			ignore = `this machine's apt configuration, Acquire::Check-Valid-Until "false"`
		}
	}
	return ignore, nil
}

// aptFalse reports whether apt takes the value for false (apt-pkg/contrib/strutl.cc,
// StringToBool).
func aptFalse(s string) bool {
	switch strings.ToLower(s) {
	case "0", "no", "false", "without", "off", "disable":
		return true
	}
	return false
}

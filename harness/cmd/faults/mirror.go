package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/mapstack/conformance/harness/source/debian"
)

// mirror serves what the real mirror answered once, and misbehaves when it is told to.
type mirror struct {
	upstream *url.URL
	client   *http.Client
	store    string // folder of what the real mirror answered
	listener net.Listener
	server   *http.Server

	mu     sync.Mutex
	answer misbehaviour // nil serves what is asked for
	ended  chan struct{}
}

// misbehaviour answers a request for a file whose true content it gets. It returns false to
// let the mirror serve that.
type misbehaviour func(w http.ResponseWriter, r *http.Request, content []byte) bool

func newMirror(store string) (*mirror, error) {
	real, err := debian.FindMirror(context.Background(), debian.ThisHost())
	if err != nil {
		return nil, err
	}
	if real.URL == nil {
		return nil, fmt.Errorf("%s forbids downloads, and a cache of its own must be filled", real.Source)
	}
	if err := os.Mkdir(store, 0o755); err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	transport.RegisterProtocol("file", http.NewFileTransport(http.Dir("/")))
	m := &mirror{upstream: real.URL, client: &http.Client{Transport: transport}, store: store, ended: make(chan struct{})}
	if m.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	m.server = &http.Server{Handler: m}
	go func() { _ = m.server.Serve(m.listener) }()
	return m, nil
}

func (m *mirror) url() string { return "http://" + m.listener.Addr().String() + "/debian" }

func (m *mirror) close() { _ = m.server.Close() }

// serve makes the mirror misbehave from now on; nil makes it good again, and ends answers that
// never come.
func (m *mirror) serve(answer misbehaviour) {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.ended)
	m.answer, m.ended = answer, make(chan struct{})
}

// ServeHTTP answers one request.
func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content, status := m.content(strings.TrimPrefix(r.URL.Path, "/debian/"))
	if status != http.StatusOK {
		http.Error(w, http.StatusText(status), status)
		return
	}
	m.mu.Lock()
	answer := m.answer
	m.mu.Unlock()
	if answer == nil || !answer(w, r, content) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}
}

// content returns a file of the real mirror, which is asked once.
func (m *mirror) content(path string) ([]byte, int) {
	sum := sha256.Sum256([]byte(path))
	file := filepath.Join(m.store, hex.EncodeToString(sum[:]))
	if b, err := os.ReadFile(file); err == nil {
		return b, http.StatusOK
	}
	resp, err := m.client.Get(m.upstream.String() + "/" + path)
	if err != nil {
		return nil, http.StatusBadGateway
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, http.StatusBadGateway
	}
	if resp.StatusCode == http.StatusOK {
		if err := os.WriteFile(file, b, 0o644); err != nil {
			return nil, http.StatusInsufficientStorage
		}
	}
	return b, resp.StatusCode
}

// stall sends half of the file, and then nothing until the trial ends.
func (m *mirror) stall(w http.ResponseWriter, r *http.Request, content []byte) bool {
	m.mu.Lock()
	ended := m.ended
	m.mu.Unlock()
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	_, _ = w.Write(content[:len(content)/2])
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	select {
	case <-r.Context().Done():
	case <-ended:
	}
	panic(http.ErrAbortHandler)
}

// truncate announces the whole file, and breaks off.
func truncate(w http.ResponseWriter, _ *http.Request, content []byte) bool {
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	_, _ = w.Write(content[:len(content)/3])
	panic(http.ErrAbortHandler)
}

// shorten sends less than the file and announces that.
func shorten(w http.ResponseWriter, _ *http.Request, content []byte) bool {
	_, _ = w.Write(content[:len(content)/2])
	return true
}

// redirectTo sends the client elsewhere; "" sends it to where it is.
func redirectTo(where string) misbehaviour {
	return func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		to := where
		if to == "" {
			to = r.URL.Path
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
		return true
	}
}

// refuse answers with an error of the server.
func refuse(status int) misbehaviour {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		http.Error(w, "", status)
		return true
	}
}

// alter serves the file with its middle changed.
func alter(w http.ResponseWriter, _ *http.Request, content []byte) bool {
	b := bytes.Clone(content)
	for i := range min(16, len(b)) {
		b[len(b)/2+i-min(16, len(b))/2] ^= 0x15
	}
	_, _ = w.Write(b)
	return true
}

// releases limits a misbehaviour to signed Release files.
func releases(answer misbehaviour) misbehaviour {
	return func(w http.ResponseWriter, r *http.Request, content []byte) bool {
		return strings.HasSuffix(r.URL.Path, "/InRelease") && answer(w, r, content)
	}
}

// once limits a misbehaviour to the first request for each file.
func once(answer misbehaviour) misbehaviour {
	var mu sync.Mutex
	asked := map[string]bool{}
	return func(w http.ResponseWriter, r *http.Request, content []byte) bool {
		mu.Lock()
		again := asked[r.URL.Path]
		asked[r.URL.Path] = true
		mu.Unlock()
		return !again && answer(w, r, content)
	}
}

// stranger returns a misbehaviour that signs Release files with a key that nobody trusts, after
// it has replaced their dates by old ones.
func stranger() (misbehaviour, error) {
	key, err := openpgp.NewEntity("stranger", "", "stranger@example.org", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err != nil {
		return nil, err
	}
	return releases(func(w http.ResponseWriter, _ *http.Request, content []byte) bool {
		block, _ := clearsign.Decode(content)
		if block == nil {
			return false
		}
		text := append(bytes.Clone(block.Plaintext), "Valid-Until: Sat, 01 Jan 2022 00:00:00 UTC\n"...)
		signed, err := clearsign.Encode(w, key.PrivateKey, nil)
		if err != nil {
			return false
		}
		_, _ = signed.Write(text)
		_ = signed.Close()
		return true
	}), nil
}

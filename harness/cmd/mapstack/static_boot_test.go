//go:build boot

package main

import (
	"context"
	"debug/buildinfo"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"
	"time"
)

// TestBootTheProgramOfMakeNeedsNoLoader builds bin/mapstack as every target of the
// Makefile does, where the environment asks for cgo. A program with C code in it
// would be another one than make dist's, and would need a C compiler.
func TestBootTheProgramOfMakeNeedsNoLoader(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	const checkout = "../../.."
	build := exec.CommandContext(ctx, "make", "-C", checkout, "bin/mapstack")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	said(t, build)

	program := filepath.Join(checkout, "bin", "mapstack")
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "CGO_ENABLED" })
	if at < 0 || info.Settings[at].Value != "0" {
		t.Errorf("the program was not built with CGO_ENABLED=0: %v", info.Settings)
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Error("the program needs a loader")
	}
}

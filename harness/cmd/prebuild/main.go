// Command prebuild writes the guest images of all architectures that stock Go compiles for
// into a folder. make dist embeds them from there. It must run in the checkout.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/mapstack/conformance/harness/cache"
	"github.com/mapstack/conformance/harness/guest/guestimage"
	"github.com/mapstack/conformance/harness/guest/toolchain"
	"github.com/mapstack/conformance/harness/matrix/arch"
	"github.com/mapstack/conformance/harness/progress"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: prebuild FOLDER")
		os.Exit(2)
	}
	if err := prebuild(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "prebuild:", err)
		os.Exit(1)
	}
}

// prebuild replaces the folder.
func prebuild(ctx context.Context, dir string) error {
	c, err := cache.Open("")
	if err != nil {
		return err
	}
	tools, err := toolchain.Open(ctx, ".", false)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	guests := guestimage.NewBuilder(c, tools, progress.Discard)
	for _, rec := range arch.All() {
		if rec.Supplied || rec.GNU != "" {
			continue // it needs another compiler, which only some users of the program have
		}
		began := time.Now()
		image, err := guests.Image(ctx, rec)
		if err != nil {
			return err
		}
		if err := image.Export(dir, rec.GOARCH); err != nil {
			return err
		}
		fmt.Printf("guest programs for %s: %v\n", rec.GOARCH, time.Since(began).Round(time.Second))
	}
	return nil
}

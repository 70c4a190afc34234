package main

import (
	"github.com/mapstack/conformance/poc/address"
	"github.com/mapstack/conformance/poc/agent"
	"github.com/mapstack/conformance/poc/cloneflags"
	"github.com/mapstack/conformance/poc/facts"
	"github.com/mapstack/conformance/poc/hostile"
	"github.com/mapstack/conformance/poc/inject"
	"github.com/mapstack/conformance/poc/load"
	"github.com/mapstack/conformance/poc/mapstack"
	"github.com/mapstack/conformance/poc/mmapabi"
	"github.com/mapstack/conformance/poc/newosproc"
	"github.com/mapstack/conformance/poc/oslimits"
	"github.com/mapstack/conformance/poc/protection"
	"github.com/mapstack/conformance/poc/sigstack"
	"github.com/mapstack/conformance/poc/stackfallback"
	"github.com/mapstack/conformance/poc/threadlimits"
	"github.com/mapstack/conformance/poc/threadstacks"
	"github.com/mapstack/conformance/poc/tracing"
	"github.com/mapstack/conformance/poc/variants"
	"github.com/mapstack/conformance/poc/zeropage"
)

// programs returns the main function of every program by its name.
func programs() map[string]func() {
	return map[string]func(){
		"agent":         agent.Main,
		"init":          agent.Main, // as PID 1
		"address":       address.Main,
		"cloneflags":    cloneflags.Main,
		"facts":         facts.Main,
		"hostile":       hostile.Main,
		"inject":        inject.Main,
		"load":          load.Main,
		"mapstack":      mapstack.Main,
		"mmapabi":       mmapabi.Main,
		"newosproc":     newosproc.Main,
		"oslimits":      oslimits.Main,
		"protection":    protection.Main,
		"sigstack":      sigstack.Main,
		"stackfallback": stackfallback.Main,
		"threadlimits":  threadlimits.Main,
		"threadstacks":  threadstacks.Main,
		"tracing":       tracing.Main,
		"variants":      variants.Main,
		"zeropage":      zeropage.Main,
	}
}

package killtable

import (
	"fmt"
	"regexp"
	"strings"
)

// Catch is a defect that a claim catches.
type Catch struct {
	Defect string
	// On names the cells where it does, if the defect was tried on others too; "" for all.
	On string
}

// Proof is what the table shows of one claim.
type Proof struct {
	Catches []Catch
	// None says why no defect can make a MUST fail; "" if nobody says.
	None string
}

// Proofs holds what the table shows, by claim.
type Proofs map[string]Proof

var (
	claimRow = regexp.MustCompile(`^\| ([A-Z]{2}-[0-9]{3}) \| [A-Z]+ \| (.*) \|$`)
	caught   = regexp.MustCompile("^`([a-z0-9-]+)`(?: on (.+))?$")
)

// Read reads the claims of a table that WriteMarkdown wrote.
func Read(markdown []byte) (Proofs, error) {
	all := Proofs{}
	for n, line := range strings.Split(string(markdown), "\n") {
		row := claimRow.FindStringSubmatch(line)
		if row == nil {
			continue
		}
		id, list := row[1], row[2]
		if why, none := strings.CutPrefix(list, "none"); none {
			all[id] = Proof{None: strings.TrimPrefix(why, ": ")}
			continue
		}
		var p Proof
		for _, one := range strings.Split(list, "; ") {
			m := caught.FindStringSubmatch(one)
			if m == nil {
				return nil, fmt.Errorf("the kill table, line %d: %q is no defect; make kill-table writes the table again", n+1, one)
			}
			p.Catches = append(p.Catches, Catch{Defect: m[1], On: m[2]})
		}
		all[id] = p
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the kill table has no claims; make kill-table writes it again")
	}
	return all, nil
}

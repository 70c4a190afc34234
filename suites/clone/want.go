package clone

import "sort"

type wanted struct{ name, errno string }

// sorted returns the steps by name, so that a check always reports the same first
// failure.
func sorted(w want) []wanted {
	list := make([]wanted, 0, len(w))
	for name, errno := range w {
		list = append(list, wanted{name, errno})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].name < list[j].name })
	return list
}

package fakeqemu

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
)

// monitor answers the QMP commands that the harness uses.
func monitor(name string) {
	conn, err := net.FileConn(os.NewFile(3, "monitor"))
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(conn, `{"QMP": {"version": {}, "capabilities": []}}`)
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		var req struct {
			Execute   string `json:"execute"`
			ID        int    `json:"id"`
			Arguments struct {
				URI string `json:"uri"`
			} `json:"arguments"`
		}
		if json.Unmarshal(lines.Bytes(), &req) != nil {
			continue
		}
		if strings.HasPrefix(name, sw64) && req.Execute == "migrate" {
			// The public sw64 port is QEMU 6.2, which cannot migrate to a file.
			fmt.Fprintf(conn, `{"error": {"class": "GenericError", "desc": "unknown migration protocol: %s"}, "id": %d}`+"\n", req.Arguments.URI, req.ID)
			continue
		}
		result := "{}"
		if req.Execute == "query-kvm" {
			result = `{"enabled": false, "present": true}`
		}
		fmt.Fprintf(conn, `{"event": "RESUME", "data": {}}`+"\n"+`{"return": %s, "id": %d}`+"\n", result, req.ID)
		if status := migrate(name, req.Execute, strings.TrimPrefix(req.Arguments.URI, "file:")); status != "" {
			fmt.Fprintf(conn, `{"event": "MIGRATION", "data": {"status": "active"}}`+"\n"+`{"event": "MIGRATION", "data": {"status": %q}}`+"\n", status)
		}
	}
}

// migrate returns the status of a migration, "" for other commands.
func migrate(name, command, path string) string {
	var err error
	switch {
	case command == "migrate" && name == "cannot be saved":
		return "failed"
	case command == "migrate":
		err = os.WriteFile(path, []byte("state"), 0o644)
	case command == "migrate-incoming":
		_, err = os.ReadFile(path)
	default:
		return ""
	}
	if err != nil {
		return "failed"
	}
	return "completed"
}

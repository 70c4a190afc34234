module github.com/mapstack/conformance

go 1.16

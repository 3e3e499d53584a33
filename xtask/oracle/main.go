// Command oracle renders templates with Go's own engine and sprig, to be compared with ours.
//
// Without arguments it reads vectors in the goldens' format from standard input (id, template, data: one JSON object a line) and writes
// for each {"id", "output": {"utf8" | "base64"}} or {"id", "error": class, "error_text"}.
//
// With -bench FOLDER it parses and renders every NAME.tmpl there with the data of NAME.json, and writes {"name", "parse", "render"} for
// each: nanoseconds of one run.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"unicode/utf8"

	"github.com/Masterminds/sprig/v3"
)

type text struct {
	UTF8   *string `json:"utf8,omitempty"`
	Base64 *[]byte `json:"base64,omitempty"`
}

type vector struct {
	ID       string          `json:"id"`
	Template string          `json:"template"`
	Data     map[string]text `json:"data"`
}

type answer struct {
	ID        string `json:"id"`
	Output    *text  `json:"output,omitempty"`
	Error     string `json:"error,omitempty"`
	ErrorText string `json:"error_text,omitempty"`
}

type figures struct {
	Name   string `json:"name"`
	Parse  int64  `json:"parse"`
	Render int64  `json:"render"`
}

func main() {
	folder := flag.String("bench", "", "measure the templates of this folder")
	flag.Parse()
	work := answerAll
	if *folder != "" {
		work = func() error { return measureAll(*folder) }
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

func answerAll() error {
	out := bufio.NewWriter(os.Stdout)
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var one vector
			if err := json.Unmarshal(line, &one); err != nil {
				return err
			}
			if err := json.NewEncoder(out).Encode(one.answer()); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return out.Flush()
		}
		if err != nil {
			return err
		}
	}
}

func (one vector) answer() (result answer) {
	result.ID = one.ID
	parsed, err := parse("key", one.Template)
	if err != nil {
		result.ErrorText, result.Error = err.Error(), "parse"
		if strings.Contains(result.ErrorText, "not defined") && strings.Contains(result.ErrorText, "function ") {
			result.Error = "function"
		}
		return result
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, values(one.Data)); err != nil {
		result.ErrorText, result.Error = err.Error(), "exec"
		if strings.Contains(result.ErrorText, "map has no entry for key") || strings.Contains(result.ErrorText, "nil data; no entry for key") {
			result.Error = "missing-key"
		}
		return result
	}
	result.Output = &text{}
	if utf8.Valid(out.Bytes()) {
		rendered := out.String()
		result.Output.UTF8 = &rendered
	} else {
		rendered := out.Bytes()
		result.Output.Base64 = &rendered
	}
	return result
}

func measureAll(folder string) error {
	paths, err := filepath.Glob(filepath.Join(folder, "*.tmpl"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		encoded, err := os.ReadFile(strings.TrimSuffix(path, ".tmpl") + ".json")
		if err != nil {
			return err
		}
		var data map[string]string
		if err := json.Unmarshal(encoded, &data); err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(path), ".tmpl")
		if err := measure(name, string(source), data); err != nil {
			return err
		}
	}
	return nil
}

func measure(name, source string, data map[string]string) error {
	parsed, err := parse(name, source)
	if err != nil {
		return err
	}
	if err := parsed.Execute(io.Discard, data); err != nil {
		return err
	}
	parsing := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if _, err := parse(name, source); err != nil {
				b.Fatal(err)
			}
		}
	})
	rendering := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			var out bytes.Buffer
			if err := parsed.Execute(&out, data); err != nil {
				b.Fatal(err)
			}
		}
	})
	return json.NewEncoder(os.Stdout).Encode(figures{name, parsing.NsPerOp(), rendering.NsPerOp()})
}

func parse(name, source string) (*template.Template, error) {
	return template.New(name).Option("missingkey=error").Funcs(functions).Parse(source)
}

var functions = func() template.FuncMap {
	functions := sprig.TxtFuncMap()
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(functions, name)
	}
	return functions
}()

func values(data map[string]text) map[string]string {
	all := make(map[string]string, len(data))
	for key, value := range data {
		switch {
		case value.UTF8 != nil:
			all[key] = *value.UTF8
		case value.Base64 != nil:
			all[key] = string(*value.Base64)
		}
	}
	return all
}

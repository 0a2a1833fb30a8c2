// Checks a C2SP tlog-proof by the Go project's own transparency log packages.
//
// receipt PROOF VERIFIER-KEY LEAF-HASH-IN-HEX
package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func hash(text string, decode func(string) ([]byte, error)) (tlog.Hash, error) {
	var made tlog.Hash
	content, err := decode(text)
	if err != nil || len(content) != tlog.HashSize {
		return made, fmt.Errorf("no hash: %s", text)
	}
	copy(made[:], content)
	return made, nil
}

func check(path, key, leaf string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	parts := strings.SplitN(string(content), "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	if len(parts) != 2 || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("this is no tlog-proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		one, err := hash(line, base64.StdEncoding.DecodeString)
		if err != nil {
			return err
		}
		proof = append(proof, one)
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return err
	}
	signed, err := note.Open([]byte(parts[1]), note.VerifierList(verifier))
	if err != nil {
		return err
	}
	head := strings.Split(signed.Text, "\n")
	size, err := strconv.ParseInt(head[1], 10, 64)
	if err != nil {
		return err
	}
	root, err := hash(head[2], base64.StdEncoding.DecodeString)
	if err != nil {
		return err
	}
	proven, err := hash(leaf, hex.DecodeString)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, size, root, index, proven); err != nil {
		return err
	}
	fmt.Printf("entry %d of %d\n", index, size)
	return nil
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "receipt PROOF VERIFIER-KEY LEAF-HASH-IN-HEX")
		os.Exit(2)
	}
	if err := check(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Checks a folder of C2SP tlog-tiles by the Go project's own transparency log packages, those behind
// sum.golang.org: the signed head, every hash tile, every entry, and that older sizes are prefixes.
//
// tiles FOLDER VERIFIER-KEY [OLDER-SIZE ROOT]...
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type folder string

func (f folder) Height() int { return height }

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

// C2SP leaves out the height, which sumdb writes after "tile/".
func (f folder) path(tile tlog.Tile) string {
	name := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
	return filepath.Join(string(f), "tile", strings.Replace(name, "data/", "entries/", 1))
}

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	read := make([][]byte, len(tiles))
	for number, tile := range tiles {
		content, err := os.ReadFile(f.path(tile))
		if err != nil {
			return nil, err
		}
		read[number] = content
	}
	return read, nil
}

func head(path, key string) (tlog.Tree, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return tlog.Tree{}, err
	}
	signed, err := note.Open(content, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) < 3 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("no checkpoint of %s", verifier.Name())
	}
	return tree(lines[1], lines[2])
}

func tree(size, root string) (tlog.Tree, error) {
	count, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	hash, err := base64.StdEncoding.DecodeString(root)
	if err != nil || len(hash) != tlog.HashSize {
		return tlog.Tree{}, fmt.Errorf("no root: %s", root)
	}
	made := tlog.Tree{N: count}
	copy(made.Hash[:], hash)
	return made, nil
}

// Every entry of the bundles is the preimage of its leaf, and its leaf is in the tree.
func entries(from folder, now tlog.Tree, hashes tlog.HashReader) (int64, error) {
	var seen int64
	for first := int64(0); first < now.N; first += 1 << height {
		width := now.N - first
		if width > 1<<height {
			width = 1 << height
		}
		bundle := tlog.Tile{H: height, L: -1, N: first >> height, W: int(width)}
		content, err := os.ReadFile(from.path(bundle))
		if err != nil {
			return seen, err
		}
		for number := first; number < first+width; number++ {
			if len(content) < 2 || len(content) < 2+int(binary.BigEndian.Uint16(content)) {
				return seen, fmt.Errorf("entry %d is cut off", number)
			}
			end := 2 + int(binary.BigEndian.Uint16(content))
			entry := content[2:end]
			content = content[end:]
			stored, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, number)})
			if err != nil {
				return seen, err
			}
			if stored[0] != tlog.RecordHash(entry) {
				return seen, fmt.Errorf("entry %d is not its leaf", number)
			}
			proof, err := tlog.ProveRecord(now.N, number, hashes)
			if err != nil {
				return seen, err
			}
			if err := tlog.CheckRecord(proof, now.N, now.Hash, number, stored[0]); err != nil {
				return seen, err
			}
			seen++
		}
		if len(content) != 0 {
			return seen, fmt.Errorf("a bundle has more than %d entries", width)
		}
	}
	return seen, nil
}

func check(arguments []string) error {
	from := folder(arguments[0])
	now, err := head(filepath.Join(arguments[0], "checkpoint"), arguments[1])
	if err != nil {
		return err
	}
	hashes := tlog.TileHashReader(now, from)
	root, err := tlog.TreeHash(now.N, hashes)
	if err != nil {
		return err
	}
	if root != now.Hash {
		return fmt.Errorf("the tiles have another root than the head")
	}
	seen, err := entries(from, now, hashes)
	if err != nil {
		return err
	}
	for place := 2; place+1 < len(arguments); place += 2 {
		before, err := tree(arguments[place], arguments[place+1])
		if err != nil {
			return err
		}
		proof, err := tlog.ProveTree(now.N, before.N, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, now.N, now.Hash, before.N, before.Hash); err != nil {
			return err
		}
	}
	fmt.Printf("%d entries are in the tree of the signed head\n", seen)
	return nil
}

func main() {
	if len(os.Args) < 3 || len(os.Args)%2 == 0 {
		fmt.Fprintln(os.Stderr, "tiles FOLDER VERIFIER-KEY [OLDER-SIZE ROOT]...")
		os.Exit(2)
	}
	if err := check(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Nine frames of Go: main.main, main.chain1 to main.chain7, and main.leaf, which
// has no frame of its own.
package main

import (
	"os"
	"strconv"
	"time"
)

//go:noinline
func leaf(seed uint64) uint64 {
	value := seed | 1
	for round := 0; round < 1000000; round++ {
		value ^= value << 13
		value ^= value >> 7
		value ^= value << 17
	}
	return value
}

//go:noinline
func chain7(seed uint64) uint64 {
	for {
		seed += leaf(seed)
	}
}

//go:noinline
func chain6(seed uint64) uint64 { return chain7(seed+1) + 1 }

//go:noinline
func chain5(seed uint64) uint64 {
	var local [100]uint64
	local[seed%100] = chain6(seed + 1)
	return local[(seed+1)%100]
}

//go:noinline
func chain4(seed uint64) uint64 { return chain5(seed+1) + seed }

//go:noinline
func chain3(seed uint64) uint64 { return chain4(seed+1) + 1 }

//go:noinline
func chain2(seed uint64) uint64 { return chain3(seed+1) ^ seed }

//go:noinline
func chain1(seed uint64) uint64 { return chain2(seed+1) + 1 }

func main() {
	seconds := 30
	if len(os.Args) > 1 {
		seconds, _ = strconv.Atoi(os.Args[1])
	}
	parent := os.Getppid()
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	go func() {
		for time.Now().Before(end) && os.Getppid() == parent {
			time.Sleep(10 * time.Millisecond)
		}
		os.Exit(0)
	}()
	os.Stdout.WriteString("ready 0\n")
	os.Exit(int(chain1(1)))
}

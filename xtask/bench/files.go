// Reads files the way a Go program does: a goroutine per file behind a semaphore of 1,000, each open, stat, read whole,
// close; with "checksum" a second stage takes the contents and adds them up.
//
//	files LIST PASSES [checksum]     LIST holds one path per line; prints "FILES BYTES SECONDS ERRORS"
package main

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const inFlight = 1000

func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	data := make([]byte, info.Size())
	_, err = io.ReadFull(file, data)
	return data, err
}

func main() {
	list, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	var paths []string
	for lines := bufio.NewScanner(list); lines.Scan(); {
		paths = append(paths, lines.Text())
	}
	passes, _ := strconv.Atoi(os.Args[2])
	var bytes, errors, sums uint64
	start := time.Now()

	// Castagnoli's polynomial is the fastest checksum of the standard library: the processor has an instruction for it.
	table := crc32.MakeTable(crc32.Castagnoli)
	contents := make(chan []byte, inFlight)
	var stage sync.WaitGroup
	checksum := len(os.Args) > 3
	if checksum {
		for i := 0; i < runtime.NumCPU(); i++ {
			stage.Add(1)
			go func() {
				defer stage.Done()
				for data := range contents {
					atomic.AddUint64(&sums, uint64(crc32.Checksum(data, table)))
				}
			}()
		}
	}

	semaphore := make(chan struct{}, inFlight)
	var files sync.WaitGroup
	for pass := 0; pass < passes; pass++ {
		for _, path := range paths {
			semaphore <- struct{}{}
			files.Add(1)
			go func(path string) {
				defer files.Done()
				data, err := read(path)
				if err != nil {
					atomic.AddUint64(&errors, 1)
				}
				atomic.AddUint64(&bytes, uint64(len(data)))
				if checksum {
					contents <- data
				}
				<-semaphore
			}(path)
		}
	}
	files.Wait()
	close(contents)
	stage.Wait()
	fmt.Println(len(paths)*passes, bytes, time.Since(start).Seconds(), errors)
}

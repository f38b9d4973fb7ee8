"""What the tests of uploads share: segments, a strict storage in memory, servers and a front that makes trouble."""

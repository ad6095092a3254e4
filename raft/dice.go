package raft

// dice is a SplitMix64 generator. It is part of the server's state: copy the server and you copy its
// future. (A method on a shared generator would be thrown by the copy and the original alike.)
type dice uint64

// upTo throws a number from 0 to n-1. Its bias is far below what an election timeout can notice.
func (d *dice) upTo(n int) int {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}

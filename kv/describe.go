package kv

// Description is a command as people read it. Its Value shares the memory of the command.
type Description struct {
	Operation Operation
	Key       string
	Value     []byte // of OpPut and OpPutTTL
	Amount    int64  // OpIncrement: what to add; OpPutTTL: the time to live, in nanoseconds
}

// Describe reads a command of either form. The error is the Refusal with which Apply would answer.
func Describe(b []byte) (Description, error) {
	c, refusal := decode(b)
	if refusal != 0 {
		return Description{Operation: c.operation}, refusal
	}
	return Description{Operation: c.operation, Key: string(c.key), Value: c.value, Amount: c.amount}, nil
}

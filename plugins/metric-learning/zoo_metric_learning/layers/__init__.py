"""What holds state of its own: class weights, centers, a memory, a scheduled weight."""

module clusterlink-mcs.test/yamux-go

go 1.26

require github.com/hashicorp/yamux v0.1.2

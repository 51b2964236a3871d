module tp-rig.test/probe

go 1.26.0

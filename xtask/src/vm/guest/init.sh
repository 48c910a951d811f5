#!/bin/sh
# The first program of the root file system. What the tests say goes to ttyS1, the kernel's log to ttyS0.
export PATH=/usr/sbin:/usr/bin HOME=/root TMPDIR=/tmp
mount -t tmpfs run /run
mkdir -p /dev/pts /dev/shm /run/lock
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
# As Debian has them: version 2 alone; the controllers of version 1 are mounted by the configuration that wants them.
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo guest >/proc/sys/kernel/hostname
modprobe loop
. /vm/environment
exec </dev/null >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 -onlcr
echo "guest: Linux $(uname -r), $(nproc) CPUs, up after $(cut -d' ' -f1 /proc/uptime) s"
timeout --signal=KILL "$GUEST_SECONDS" setsid sh /vm/run
status=$?
echo "guest: down after $(cut -d' ' -f1 /proc/uptime) s"
echo "STATUS=$status"
sync
# The serial line is to be empty before there is no one to read it.
sleep 0.1
echo o >/proc/sysrq-trigger
sleep 60

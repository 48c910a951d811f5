#!/busybox sh
# The first program in the guest: loads what the root file system needs, and hands over to it.
/busybox mkdir -p /proc /sys /dev /new
/busybox mount -t proc proc /proc
/busybox mount -t sysfs sysfs /sys
/busybox mount -t devtmpfs dev /dev
for module in /modules/*.ko; do
    [ -e "$module" ] || continue
    /busybox insmod "$module" || echo "initramfs: $module was refused" >/dev/kmsg
done
root=$(/busybox sed -n 's/.*ioprof\.root=\([^ ]*\).*/\1/p' /proc/cmdline)
tries=0
while [ ! -b "$root" ] && [ $tries -lt 200 ]; do
    /busybox usleep 50000
    tries=$((tries + 1))
done
/busybox mount -t ext4 "$root" /new || echo "initramfs: no root file system on $root" >/dev/kmsg
for place in proc sys dev; do
    /busybox mount --move /$place /new/$place
done
exec /busybox switch_root /new /vm/init

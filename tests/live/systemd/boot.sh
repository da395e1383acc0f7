#!/usr/bin/env bash
# Boots systemd as process 1, over a copy of this machine's root that ends with it. To be run in namespaces of its own
# (mount, process, cgroup, IPC and host name); the network is that of the caller. Nothing of this machine is changed:
# /proc/sys and /sys are read-only, and no unit runs but those that every system needs, and the one that is tested.
#
#   boot.sh SCRATCH PROGRAM EXTRA      an empty directory, the program, files to lay over the root
set -euo pipefail
scratch=$1 program=$2 extra=$3
root=$scratch/root

mount --make-rprivate /
mount -t tmpfs tmpfs "$scratch"
mkdir "$scratch"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
for directory in run tmp dev/shm; do mount -t tmpfs tmpfs "$root/$directory"; done

# What this machine's administrator has enabled is not started.
rm -rf "$root"/etc/systemd/system/*.wants
touch "$root/usr/local/bin/trafficmonitor"
mount --bind "$program" "$root/usr/local/bin/trafficmonitor"
cp -r "$extra/." "$root/"
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=trafficmonitor.service\n' \
    >"$root/etc/systemd/system/tested.target"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"

cd "$root"
mkdir -p former
pivot_root . former
umount -l /former
# Of this namespace alone; systemd mounts the credentials of a service so.
mount --make-rshared /
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    setpriv --bounding-set=-sys_module,-sys_time,-sys_boot /lib/systemd/systemd --unit=tested.target

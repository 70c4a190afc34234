#!/usr/bin/busybox sh
# PID 1 of the guest that reads disks which nothing on the host reads. It mounts
# every file system on the disk "image" read-only. It writes the files of a boot and
# the files that describe the system to the disk "out", as a tar archive.
# Programs are called by their paths, since this shell has applets of the same names.
export PATH=/usr/sbin:/usr/bin
b() { /usr/bin/busybox "$@"; }
b mkdir -p /proc /sys /dev /run /tmp /etc/lvm /mnt /vol
b mount -t proc proc /proc
b mount -t sysfs sys /sys
b mount -t devtmpfs dev /dev
/usr/sbin/depmod -a
for m in crc32c_generic crc32_generic virtio_pci virtio_blk ext4 xfs btrfs vfat f2fs jfs nls_ascii nls_cp437 dm-mod; do /usr/sbin/modprobe -q "$m"; done
for s in /sys/block/*/serial; do
	d=${s%/serial}
	case $(b cat "$s") in image) image=${d##*/} ;; out) out=${d##*/} ;; esac
done
if [ -z "$image" ] || [ -z "$out" ]; then
	echo "disk reader: the disks are not there"
	b poweroff -f
fi
/usr/sbin/lvm vgchange -ay --nolocking --config 'activation{udev_sync=0 udev_rules=0 verify_udev_operations=0} devices{use_devicesfile=0 obtain_device_list_from_udev=0 external_device_info_source="none"} backup{backup=0 archive=0}' >/dev/null 2>&1
/usr/sbin/dmsetup mknodes >/dev/null 2>&1

n=0
# add DIRECTORY DESCRIPTION adds a volume.
add() {
	b mkdir -p "/vol/$n"
	b mount --bind "$1" "/vol/$n"
	printf '%s %s\n' "$n" "$2" >>/vol/volumes
	n=$((n + 1))
}
m=0
for dev in /dev/"$image" /dev/"$image"[0-9]* /dev/mapper/*; do
	[ -b "$dev" ] || continue
	name=${dev#/dev/}
	[ "$name" = "${name#mapper/}" ] || name="LVM ${name#mapper/}"
	for type in ext4 xfs btrfs f2fs jfs vfat; do
		case $type in ext4) more=,noload ;; xfs) more=,norecovery ;; *) more= ;; esac
		b mkdir -p "/mnt/$m"
		b mount -t $type -o "ro,nosuid,nodev,noexec$more" "$dev" "/mnt/$m" 2>/dev/null || continue
		add "/mnt/$m" "$type on $name"
		if [ $type = btrfs ]; then
			b mkdir -p "/mnt/$m.top"
			b mount -t btrfs -o ro,nosuid,nodev,noexec,subvolid=5 "$dev" "/mnt/$m.top" &&
				for sub in @ @rootfs root; do
					[ -d "/mnt/$m.top/$sub" ] && add "/mnt/$m.top/$sub" "btrfs on $name, subvolume $sub"
				done
		fi
		m=$((m + 1))
		break
	done
done

# These are the files that harness/source/intake reads. Missing ones are left out.
cd /vol
: >>volumes
set -- volumes
for v in [0-9]*; do
	for f in etc/os-release usr/lib/os-release usr/lib/sysctl.d lib/sysctl.d etc/sysctl.d etc/sysctl.conf \
		etc/security/limits.conf etc/security/limits.d etc/selinux/config \
		usr/lib/systemd/system.conf etc/systemd/system.conf usr/lib/systemd/system.conf.d etc/systemd/system.conf.d \
		usr/lib/systemd/logind.conf etc/systemd/logind.conf usr/lib/systemd/logind.conf.d etc/systemd/logind.conf.d \
		usr/lib/systemd/system/user-.slice.d lib/systemd/system/user-.slice.d etc/systemd/system/user-.slice.d; do
		[ -e "$v/$f" ] || [ -L "$v/$f" ] && set -- "$@" "$v/$f"
	done
	for d in "$v/boot" "$v"; do
		for f in "$d"/vmlinuz* "$d"/vmlinux* "$d"/Image* "$d"/config-* "$d"/grub/grub.cfg "$d"/grub/grubenv "$d"/grub2/grub.cfg \
			"$d"/grub2/grubenv "$d"/loader "$d"/extlinux/extlinux.conf "$d"/efi/EFI/*/grub.cfg; do
			[ -e "$f" ] || [ -L "$f" ] && set -- "$@" "$f"
		done
	done
done
b tar cf "/dev/$out" "$@" && echo "disk reader: all is done"
b sync
b poweroff -f

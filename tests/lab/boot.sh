#!/bin/sh
# The first process of the guest: what any machine has is set up here, then setup.sh runs the tests.
#
# The root is the host's, read-only. The environment names the folder of the results (RSERPOOL_LAB), the only one that can
# be written to, which also holds the way to the guest's modules (lib/modules), and the Python to use (RSERPOOL_LAB_PYTHON).
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /run
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t hostfs none "$RSERPOOL_LAB" -o "$RSERPOOL_LAB"

# The kernel loads modules by itself, too, from where they are.
printf '#!/bin/sh\nexec modprobe -d "%s" "$@"\n' "$RSERPOOL_LAB" >/run/modprobe
chmod +x /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe
for module in sctp veth bridge sch_netem dummy; do
    modprobe -d "$RSERPOOL_LAB" $module
done
# The guest has no md5: without this, listen() fails with ENOSYS.
echo none >/proc/sys/net/sctp/cookie_hmac_alg

sh "$(dirname "$0")/setup.sh" "$@" </dev/null
# Power off. Only Python is sure to be there.
exec "$RSERPOOL_LAB_PYTHON" -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321fedc)'

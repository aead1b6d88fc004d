#!/bin/sh
# Makes a network of its own into the lab, and runs the tests there: setup.sh COMMAND [ARGUMENT ...]
#
# The environment names the folder of the results (RSERPOOL_LAB). /run is empty, writable, and seen by nobody else.
set -u

mkdir -p /run/lab/tmp /run/lab/home /run/netns
export TMPDIR=/run/lab/tmp HOME=/run/lab/home

set_each() {
    value=$1
    shift
    for setting in "$@"; do
        [ ! -w "/proc/sys/net/$setting" ] || echo "$value" >"/proc/sys/net/$setting"
    done
}
# New addresses can be used at once.
set_each 0 ipv6/conf/all/accept_dad ipv6/conf/default/accept_dad
ip link set lo up
# rsplib passes over loopback addresses.
ip link add dummy0 type dummy
ip link set dummy0 up multicast on
ip addr add 10.11.12.1/24 dev dummy0
ip route add default dev dummy0

# Where the time counts, nothing is captured.
if [ "${LAB_CAPTURE:-all}" = none ]; then
    "$@"
    echo $? >"$RSERPOOL_LAB/status"
    exit 0
fi

# The lab's whole traffic: networks have their bridges here, so each frame comes in here once.
tcpdump -i any -Q in -n -s 0 -B 16384 -Z root -w "$RSERPOOL_LAB/traffic.pcap" 'sctp or udp' 2>"$RSERPOOL_LAB/tcpdump.log" &
dump=$!
until grep -q 'listening on' "$RSERPOOL_LAB/tcpdump.log"; do
    kill -0 $dump 2>/dev/null || { cat "$RSERPOOL_LAB/tcpdump.log" >&2; exit 1; }
    sleep 0.05
done

"$@"
status=$?

# What came last is handed on within a second.
sleep 1.2
kill -INT $dump 2>/dev/null
wait $dump
echo $status >"$RSERPOOL_LAB/status"
exit 0

#!/bin/bash
# DNS forwarders side by side: queries a second and latency, cached and forwarded.
#
# All on loopback: one unbound is the authority that the forwarders ask (any name below test. has
# an address), dnsperf is the client. The forwarders are the nodes' static xc-dns, dnsmasq and
# unbound, each with a cache and no query log, one after the other on one port.
#
#   cached     1,000 names, asked before, over and over for SECONDS
#   forwarded  distinct names, each asked once, NAMES of them
#
# Usage: bench/dns.sh [SECONDS [NAMES]]    XC_DNS=path of the program to measure
set -euo pipefail

seconds=${1:-5}
names=${2:-50000}
authority_port=53530
port=53531
root=$(cd "$(dirname "$0")/.." && pwd)
xc_dns=${XC_DNS:-$(ls "$root"/target/xc-dns-static/*/node/xc-dns)}

for tool in dnsperf dnsmasq unbound dig; do
    command -v "$tool" >/dev/null || { echo "SKIPPED: $tool is not installed"; exit 0; }
done

work=$(mktemp -d)
pids=()
end() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap end EXIT

# unbound_conf PORT THREADS: what both of them have in common
unbound_conf() {
    cat <<CONF
server:
  interface: 127.0.0.1@$1
  do-daemonize: no
  chroot: ""
  username: ""
  pidfile: ""
  directory: "$work"
  use-syslog: no
  logfile: "$work/unbound-$1.log"
  module-config: "iterator"
  num-threads: 1
  do-not-query-localhost: no
CONF
}

# start NAME COMMAND...: waits until the server on the port that follows NAME answers
start() {
    local name=$1 port=$2
    shift 2
    "$@" >"$work/$name.log" 2>&1 &
    pids+=($!)
    until dig @127.0.0.1 -p "$port" up.test A +short +tries=1 +time=1 | grep -q 10.0.0.1; do
        kill -0 "${pids[-1]}" || { cat "$work/$name.log"; exit 1; }
    done
}

# measure CASE DNSPERF-OPTION...
measure() {
    local case=$1
    shift
    dnsperf -s 127.0.0.1 -p "$port" -c 8 -T 1 "$@" >"$work/dnsperf.out" 2>&1
    awk -v name="$name" -v what="$case" -v rss="$(awk '/VmRSS/ {print $2}' "/proc/${pids[-1]}/status")" '
        /Queries completed/ { done = $3 }
        /Queries lost/ { lost = $3 }
        /Queries per second/ { qps = $4 }
        /Average Latency/ { latency = $4 * 1000; max = $8 * 1000 }
        END { printf "%-10s %-10s %10d %6d %10.0f %10.3f %9.1f %8d\n",
              name, what, done, lost, qps, latency, max, rss }' "$work/dnsperf.out"
}

{
    unbound_conf "$authority_port"
    echo '  local-zone: "test." redirect'
    echo '  local-data: "test. 3600 IN A 10.0.0.1"'
    printf 'remote-control:\n  control-enable: no\n'
} >"$work/authority.conf"
{
    unbound_conf "$port"
    echo '  domain-insecure: "test."'
    echo '  local-zone: "test." nodefault'
    printf 'remote-control:\n  control-enable: no\n'
    printf 'forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@%s\n' "$authority_port"
} >"$work/forwarder.conf"
seq -f 'n%.0f.test A' 1 1000 >"$work/cached"
seq -f 'f%.0f.test A' 1 "$names" >"$work/forwarded"

start authority "$authority_port" unbound -d -c "$work/authority.conf"
printf '%-10s %-10s %10s %6s %10s %10s %9s %8s\n' \
    server case queries lost 'queries/s' 'mean ms' 'max ms' 'RSS KiB'
for name in xc-dns dnsmasq unbound; do
    case $name in
    xc-dns) command=("$xc_dns" --listen "127.0.0.1:$port" --upstream "127.0.0.1:$authority_port") ;;
    dnsmasq) command=(dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts
        --bind-interfaces --listen-address=127.0.0.1 --port="$port" --cache-size=10000
        --dns-forward-max=1000 --pid-file= --user="$(id -un)" --log-facility=-
        --server="127.0.0.1#$authority_port") ;;
    unbound) command=(unbound -d -c "$work/forwarder.conf") ;;
    esac
    start "$name" "$port" "${command[@]}"
    # Warm: each name once.
    dnsperf -s 127.0.0.1 -p "$port" -d "$work/cached" -n 1 >/dev/null 2>&1
    measure cached -d "$work/cached" -l "$seconds"
    measure forwarded -d "$work/forwarded" -n 1
    kill "${pids[-1]}"
    wait "${pids[-1]}" 2>/dev/null || true
    unset 'pids[-1]'
done

#!/usr/bin/env bash
# On a machine with a GPU: the whole suite there, compute-sanitizer on a part of it, the benchmarks, and a report.
#
#   ci/gpu.sh [python]        python: one that has gpugrad[dev,peers,cuda13] (or cuda12); default: python3
#
# The report goes to benchmarks/results/gpu-check.md, the benchmarks' to benchmarks/results/cuda.md.
set -u
cd "$(dirname "$0")/.."
python=${1:-python3}
report=benchmarks/results/gpu-check.md
failed=0

step() { # a title, then a command: its last lines go into the report
    local title=$1 start=$SECONDS status=0
    shift
    echo "== $title: $*"
    "$@" >/tmp/gpugrad-step.$$ 2>&1 || status=$?
    tail -n 25 /tmp/gpugrad-step.$$
    { printf '\n## %s\n\n`%s`: status %d, %d s\n\n```\n' "$title" "$*" "$status" $((SECONDS - start)); tail -n 25 /tmp/gpugrad-step.$$; printf '```\n'; } >>"$report"
    rm -f /tmp/gpugrad-step.$$
    [ "$status" -eq 0 ] || failed=1
}

printf '# Check on a GPU\n\n%s\n\n```\n%s\n%s\n```\n' "$(date -u +%Y-%m-%d)" "$("$python" -m gpugrad info)" \
    "$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null)" >"$report"
step "The suite" "$python" -m pytest tests -q -n 4 --device cuda
step "The suite, every op in a region of its own" "$python" -m pytest tests -q -n 4 --device cuda --fuse 1
if command -v compute-sanitizer >/dev/null; then
    part=(-q -p no:xdist --device cuda tests/test_regions.py tests/test_structural.py)
    step "memcheck" compute-sanitizer --tool memcheck --error-exitcode 9 "$python" -m pytest "${part[@]}"
    step "racecheck" compute-sanitizer --tool racecheck --error-exitcode 9 "$python" -m pytest "${part[@]}" -k "sum or reduc or cumsum or max"
else
    printf '\ncompute-sanitizer is not installed: memcheck and racecheck were not run.\n' >>"$report"
fi
step "The demo" "$python" -m gpugrad demo --device cuda --out "$(mktemp -d)"
step "The benchmarks" "$python" benchmarks/gpu.py
exit $failed

#!/usr/bin/env bash
# On a machine with a GPU: the whole suite there, compute-sanitizer on a part of it, the benchmarks, and a report.
#
#   ci/gpu.sh [python]             everything: hours
#   ci/gpu.sh --quick [python]     the most valuable of it, in at most 7 minutes; further options are those of ci/gpu_quick.py
#
# python: one that has what gpugrad[dev,peers,cuda13] brings; default: python3. What it lacks is left out, and the report says so. It
# need not have gpugrad itself, and is made by
#
#   python3 -m venv .venv
#   .venv/bin/pip install -e '.[dev,peers,cuda13]'
#
# cuda13 where the first lines of `nvidia-smi` say "CUDA Version: 13" or more (drivers from 580 on); cuda12 where they say 12, and for
# GPUs older than sm_75 (`nvidia-smi --query-gpu=compute_cap --format=csv` shows less than 7.5).
#
# The report is benchmarks/results/gpu-check.md (gpu-quick.md), that of the benchmarks benchmarks/results/cuda.md; the full output of
# each step is kept in a folder that the report names. The status is not 0 if a step failed or could not be run. Where there is no git
# to ask for the commit, COMMIT in the environment is put into the report.
set -u
quick=
if [ "${1:-}" = --quick ]; then
    quick=yes
    shift
fi
case "${1:-}" in
-*) options=("$@") && set -- ;;
*) options=("${@:2}") ;;
esac
python=$(command -v "${1:-python3}") || { echo "there is no ${1:-python3}" >&2; exit 2; }
python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")
cd "$(dirname "$0")/.." || exit 2
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} XLA_PYTHON_CLIENT_PREALLOCATE=false
[ -z "$quick" ] || exec "$python" ci/gpu_quick.py "${options[@]}"
export JAX_PLATFORMS=cpu
mkdir -p benchmarks/results
report=benchmarks/results/gpu-check.md
logs=$(mktemp -d)
failed=0

if ! "$python" -c 'import sys; from gpugrad.base.gpus import why_no_cuda as w; sys.exit(w() or 0)'; then
    echo "nothing was checked" >&2
    exit 2
fi

step() { # a title, the minutes it may take, then a command: its last lines go into the report
    local title=$1 minutes=$2 start=$SECONDS status=0 log
    shift 2
    log="$logs/$(tr -c '[:alnum:]\n' '-' <<<"$title").log"
    echo "== $title: $*"
    timeout --kill-after=60 "${minutes}m" "$@" >"$log" 2>&1 || status=$?
    tail -n 40 "$log"
    { printf '\n## %s\n\n`%s`: status %d, %d s\n\n```\n' "$title" "$*" "$status" $((SECONDS - start)); tail -n 40 "$log"; printf '```\n'; } >>"$report"
    [ "$status" -eq 0 ] || failed=1
}

printf '# Check on a GPU\n\n%s, commit %s; full output in %s\n\n```\n%s\n%s\n```\n' "$(date -u +%Y-%m-%d)" \
    "$(git rev-parse --short HEAD 2>/dev/null)" "$logs" "$("$python" -m gpugrad info)" \
    "$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null)" >"$report"
suite=("$python" -m pytest tests -q -n 4 -rf --tb=short --device cuda)
step "The suite" 60 "${suite[@]}"
step "The suite, every op in a region of its own" 60 "${suite[@]}" --fuse 1
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer 2>/dev/null | tail -n 1)
if [ -n "$sanitizer" ]; then
    # without CuPy's pool, whose blocks are larger than what was asked for: an access beyond an array is then seen
    part=("$python" -m pytest -q -p no:xdist --tb=short --device cuda --without-pool)
    regions=(tests/plans tests/core/test_regions.py tests/core/test_checks.py tests/core/test_threads.py)
    step "memcheck" 60 "$sanitizer" --tool memcheck --error-exitcode 9 "${part[@]}" "${regions[@]}" tests/functions
    step "initcheck" 60 "$sanitizer" --tool initcheck --error-exitcode 9 "${part[@]}" "${regions[@]}" tests/functions/test_sums.py
    step "racecheck" 60 "$sanitizer" --tool racecheck --error-exitcode 9 "${part[@]}" tests/functions tests/nn tests/optim \
        -k "sum or max or min or cumsum or mean or adam"
else
    printf '\n## compute-sanitizer\n\nIt is not installed: memcheck, initcheck and racecheck were NOT run.\n' >>"$report"
    failed=1
fi
step "The demo" 10 "$python" -m gpugrad demo --device cuda --out "$(mktemp -d)"
step "The benchmarks" 60 env -u JAX_PLATFORMS "$python" benchmarks/gpu.py
exit $failed

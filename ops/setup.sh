#!/usr/bin/env bash
# Installs everything a checkout needs: .venv, .local/emulator (ministack's own environment), .local/runtime (AWS's
# Lambda runtime client), the front end's packages and the built pages. Stamps make a second run do nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[36m▸ %s\033[0m\n' "$*"; }
fail() { printf '\033[31m✗ %s\033[0m\n' "$*" >&2; exit 1; }

# The first Python that works; 3.13 first, because the functions run on it in the cloud.
find_python() {
    local version candidate
    for version in 3.13 3.14 3.12 3.11; do
        for candidate in "python$version" "$HOME/.pyenv/versions/$version".*/bin/python; do
            if "$candidate" -c "import sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null; then
                "$candidate" -c 'import sys; print(sys.executable)'
                return
            fi
        done
    done
    fail "Python 3.11 or newer is needed, with its venv module (Debian: apt install python3-venv)."
}

# done_before STAMP FILE...: true if STAMP holds the hash of these files and of .venv's Python version.
fingerprint() { { cat "$@"; .venv/bin/python -VV; } | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d' ' -f1; }
done_before() { local stamp=$1; shift; [[ -f $stamp && $(<"$stamp") == "$(fingerprint "$@")" ]]; }
mark_done() { local stamp=$1; shift; fingerprint "$@" >"$stamp"; }

if ! .venv/bin/python -c '' 2>/dev/null; then
    python=$(find_python)
    say "Making .venv with $("$python" -V)"
    "$python" -m venv --clear .venv
fi

# uv takes seconds where pip takes minutes; pip is the fallback where uv has no wheel. Both compile bytecode now, because
# some environments forbid Python to write it later.
install() {
    local python=$1
    shift
    if [[ -x .venv/bin/uv ]]; then
        .venv/bin/uv pip install --quiet --compile-bytecode --python "$python" "$@"
    else
        "$python" -m pip install --quiet --disable-pip-version-check "$@"
    fi
}

python_packages=(requirements-dev.txt layers/dependencies/requirements.txt layers/dependencies/nostr.txt)
if ! done_before .venv/.stamp "${python_packages[@]}"; then
    if [[ ! -x .venv/bin/uv ]]; then
        .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null
        .venv/bin/python -m pip install --quiet --disable-pip-version-check "$(grep '^uv==' requirements-dev.txt)" ||
            say "uv is not available here; using pip"
    fi
    say "Installing the development environment (about a minute the first time)"
    install .venv/bin/python -r requirements-dev.txt
    mark_done .venv/.stamp "${python_packages[@]}"
fi

if ! done_before .local/emulator/.stamp ops/local/requirements-emulator.txt; then
    say "Installing the AWS emulator into .local/emulator"
    .venv/bin/python -m venv --clear .local/emulator
    install .local/emulator/bin/python -r ops/local/requirements-emulator.txt
    mark_done .local/emulator/.stamp ops/local/requirements-emulator.txt
fi

if ! done_before .local/runtime/.stamp ops/local/requirements-runtime.txt ops/setup.sh; then
    say "Installing the Lambda runtime client into .local/runtime"
    rm -rf .local/runtime
    install .venv/bin/python --target .local/runtime -r ops/local/requirements-runtime.txt
    mark_done .local/runtime/.stamp ops/local/requirements-runtime.txt ops/setup.sh
fi

if [[ -f frontend/package-lock.json ]] && ! done_before frontend/node_modules/.stamp frontend/package-lock.json; then
    node -e '[a, b] = process.versions.node.split("."); process.exit(a * 100 + +b < 2019 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null ||
        fail "The front end needs Node 20.19 or newer with npm; here is $(node --version 2>/dev/null || echo none)."
    say "Installing the front end's packages"
    npm --prefix frontend ci --no-audit --no-fund --loglevel=error
    mark_done frontend/node_modules/.stamp frontend/package-lock.json
fi

# Build the pages if one of their sources has changed.
# shellcheck disable=SC2207  # no path of ours holds a space; mapfile is missing from macOS's bash
sources=($(find frontend/portal frontend/packages docs/openapi.json -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -name schema.ts | sort))
if ! done_before frontend/portal/dist/.stamp "${sources[@]}" frontend/package-lock.json; then
    say "Building the pages"
    npm --prefix frontend run --silent generate --workspace @bitsleuth/billing-api-client >/dev/null
    npm --prefix frontend run --silent build --workspace @bitsleuth/billing-portal -- --logLevel warn
    mark_done frontend/portal/dist/.stamp "${sources[@]}" frontend/package-lock.json
fi

#!/usr/bin/env bash
# Any language: an entitlement token checked with nothing but openssl and jq.
# verify.sh FEATURE KEY_SET_FILE <TOKEN; prints open or locked, fails for a token that must not be believed.
set -euo pipefail
feature=$1 keys=$2
IFS=. read -r head body signature rest || true # a token need not end a line
[[ -n $signature && -z ${rest:-} ]] || { echo "this is not a token" >&2; exit 1; }

decode() { local text; text=$(tr '_-' '/+' <<<"$1"); while ((${#text} % 4)); do text+="="; done; base64 -d <<<"$text"; }
octets() { od -An -v -tx1 | tr -d ' \n'; }
binary() { printf '%b' "$(sed 's/../\\x&/g' <<<"$1")"; }
hexes() { decode "$1" | octets; }
# A DER integer is signed: without leading zeros, and with one before a high bit.
integer() {
    local digits=$1
    while [[ $digits == 00* && ${#digits} -gt 2 ]]; do digits=${digits:2}; done
    [[ $digits =~ ^[89a-f] ]] && digits=00$digits
    printf '02%02x%s' $((${#digits} / 2)) "$digits"
}

jq -e '.alg == "ES256" and .typ == "entitlements+jwt" and (has("crit") | not)' >/dev/null <<<"$(decode "$head")" ||
    { echo "a token of another kind" >&2; exit 1; }
key=$(jq -c --arg kid "$(decode "$head" | jq -r .kid)" \
    '[.keys[] | select(.kid == $kid and .kty == "EC" and .crv == "P-256")][0] // empty' "$keys")
[[ -n $key ]] || { echo "signed with an unknown key" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The point of the key behind the fixed head of a P-256 public key; r and s of the signature as DER.
prefix=3059301306072a8648ce3d020106082a8648ce3d030107034200
point=04$(hexes "$(jq -r .x <<<"$key")")$(hexes "$(jq -r .y <<<"$key")")
binary "$prefix$point" >"$work/key.der"
raw=$(hexes "$signature")
[[ ${#raw} -eq 128 ]] || { echo "the signature is wrong" >&2; exit 1; }
pair=$(integer "${raw:0:64}")$(integer "${raw:64}")
binary "$(printf '30%02x' $((${#pair} / 2)))$pair" >"$work/signature.der"
printf '%s' "$head.$body" |
    openssl dgst -sha256 -verify "$work/key.der" -keyform DER -signature "$work/signature.der" >/dev/null ||
    { echo "the signature is wrong" >&2; exit 1; }

decode "$body" | jq -re --arg feature "$feature" --argjson now "$(date +%s)" '
    if .iss != "bitsleuth-billing" or .aud != "bitsleuth-analyzer" then error("for somebody else")
    elif ([.iat, .nbf] | max) > $now + 10 or .exp <= $now then error("not of this time")
    else .f[$feature] | if type == "object" then .remaining > 0 else (. // false) != false and . != 0 end
    end | if . then "open" else "locked" end'

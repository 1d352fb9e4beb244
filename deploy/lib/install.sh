# Installs what is missing of deploy/packages.txt. Sourced by deploy/run and deploy/test.
# usage: install_packages ROOT GROUP...

# A tool that is there under its command name counts as installed: Node.js often comes from elsewhere.
have_package() {
  case "$1" in
    nodejs) command -v node >/dev/null && return 0 ;;
    npm|maven|cmake|git|ccache|chromium|curl|python3) command -v "${1/maven/mvn}" >/dev/null && return 0 ;;
    openjdk-17-jre-headless) command -v java >/dev/null && return 0 ;;
    ninja-build) command -v ninja >/dev/null && return 0 ;;
  esac
  dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'
}

install_packages() {
  local root=$1 missing=() name group wanted
  shift
  while read -r name group; do
    case "$name" in ''|'#'*) continue ;; esac
    for wanted in "$@"; do
      [ "$group" = "$wanted" ] && ! have_package "$name" && missing+=("$name")
    done
  done <"$root/deploy/packages.txt"
  [ ${#missing[@]} -eq 0 ] && return 0
  local sudo=
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "install: these packages are missing and this user is not root: ${missing[*]}" >&2; return 69; }
    sudo=sudo
  fi
  echo "install: ${#missing[@]} packages: ${missing[*]}"
  $sudo apt-get update -qq || { echo "install: apt-get update failed" >&2; return 69; }
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    { echo "install: apt-get could not install: ${missing[*]}" >&2; return 69; }
}

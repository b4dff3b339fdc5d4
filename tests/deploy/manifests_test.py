"""The manifests of deploy/kubernetes keep to Kubernetes' schemas, agree with each other, and call the program with flags that it knows.

    manifests_test.py FOLDER PROGRAM
"""
import os
import pathlib
import subprocess
import sys
import tempfile

environment_of_setup = pathlib.Path(__file__).parents[2] / "build/kubernetes"
sys.path.extend(str(place) for place in environment_of_setup.glob("lib/python3*/site-packages"))
try:
    import kubernetes_validate
    import yaml
except ImportError as missing:
    print(f"skipped: {missing.name} is not here (scripts/setup.sh --with-kubernetes installs it)")
    sys.exit(77)

VERSIONS = ("1.33", "1.37")  # the oldest with all that is used, and the newest that the validator knows
folder, program = pathlib.Path(sys.argv[1]), sys.argv[2]
documents = [document for file in sorted(folder.glob("*.yaml")) for document in yaml.safe_load_all(file.read_text())]
assert documents, f"no manifest in {folder}"

for document in documents:
    for version in VERSIONS:
        kubernetes_validate.validate(document, version, strict=True)
try:
    kubernetes_validate.validate({**documents[0], "speck": {}}, VERSIONS[-1], strict=True)
    raise AssertionError("the validator accepts anything")
except kubernetes_validate.ValidationError:
    pass

kinds = {document["kind"]: document for document in documents}
job, server, service = kinds["Job"]["spec"], kinds["StatefulSet"]["spec"], kinds["Service"]
assert job["completionMode"] == "Indexed"
worker, database = job["template"]["spec"]["containers"][0], server["template"]["spec"]["containers"][0]
assert job["podFailurePolicy"]["rules"][1]["onExitCodes"]["containerName"] == worker["name"]


def environment(container):
    return {one["name"]: one.get("value") or one["valueFrom"]["secretKeyRef"] for one in container["env"]}


ours, theirs = environment(worker), environment(database)
assert ours["PGHOST"] == service["metadata"]["name"] == server["serviceName"]
assert (ours["PGUSER"], ours["PGDATABASE"], ours["PGPASSWORD"]) == (theirs["POSTGRES_USER"], theirs["POSTGRES_DB"], theirs["POSTGRES_PASSWORD"])
assert service["spec"]["selector"] == server["selector"]["matchLabels"] == server["template"]["metadata"]["labels"]

# The program reads all flags before it looks for the server, which is not here.
with tempfile.TemporaryDirectory() as directory:
    called = subprocess.run([program, *worker["args"]], cwd=directory, env={**os.environ, "PGHOST": directory, "PGUSER": "nobody"},
                            capture_output=True, text=True, timeout=60)
assert called.returncode == 1 and "check the address" in called.stderr, f"exit code {called.returncode}: {called.stderr}"

"""The Helm chart: every value is documented, it renders, and its pods have the rights that they should."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from sqlalchemy.orm import Session

from imgproc.core.settings import TABLE
from imgproc.db.models import Base, ProcessingRequest
from imgproc.db.statuses import ENDED, RequestStatus
from scripts import helm_chart
from scripts.programs import find

ROLES = ("web", "workers", "deliveries", "sweeper")
LEAST = helm_chart.CHART / "ci/least.yaml"


@pytest.fixture(scope="module")
def helm() -> str:
    """The program; without it the tests are skipped."""
    if (found := find("helm")) is None:
        pytest.skip("helm is missing (make programs), so the chart is not rendered.")
    return found


def manifests(*arguments: str, helm: str) -> dict[tuple[str, str], dict[str, Any]]:
    """What the chart renders to with the least values and these arguments, by kind and role."""
    done = helm_chart.render("--values", str(LEAST), *arguments, helm=helm)
    assert done.returncode == 0, done.stderr
    found = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {(each["kind"], each["metadata"]["labels"]["app.kubernetes.io/component"]): each for each in found}


def pod_specs(rendered: dict[tuple[str, str], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pods of each role."""
    return {
        role: each["spec"]["template"]["spec"] for (_, role), each in rendered.items() if "template" in each["spec"]
    }


def without_spec(rendered: dict[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The manifests with a spec."""
    return {key: each for key, each in rendered.items() if "spec" in each}


def test_every_value_is_described() -> None:
    """A value without a comment would be missing in the documentation."""
    assert set(helm_chart.defaults()) == set(helm_chart.described())


def test_every_value_is_used() -> None:
    """A value that no template reads changes nothing."""
    templates = "".join(file.read_text() for file in (helm_chart.CHART / "templates").iterdir())
    unused = {name for name in helm_chart.defaults() if not re.search(rf"\.{name.rpartition('.')[2]}\b", templates)}
    assert unused == set()


def test_the_version_is_that_of_the_application() -> None:
    """The default tag of the image is the version of this checkout."""
    chart = yaml.safe_load((helm_chart.CHART / "Chart.yaml").read_text())
    source = (helm_chart.ROOT / "imgproc/__init__.py").read_text()
    assert f'__version__ = "{chart["appVersion"]}"' in source


def test_the_chart_is_valid(tmp_path: Path) -> None:
    """Lint, rendering and the schemas of Kubernetes find nothing wrong in any example."""
    try:
        assert list(helm_chart.wrong(tmp_path)) == []
    except LookupError as error:
        pytest.skip(f"{error}, so the chart is not validated.")


def test_pods_have_no_rights(helm: str) -> None:
    """None is root, writes to its image, has a capability or a token, or is unlimited in memory."""
    pods = pod_specs(without_spec(manifests(helm=helm)))
    assert set(pods) == {*ROLES, "migrate"}
    for pod in pods.values():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert container["envFrom"] == [{"secretRef": {"name": "imgproc"}}]
        assert {each["name"] for each in container["env"]} <= set(TABLE)


def test_every_role_is_probed_spread_and_budgeted(helm: str) -> None:
    """A dead process is replaced, and neither a drain nor the loss of a zone takes all pods of a role."""
    rendered = without_spec(manifests(helm=helm))
    for role in ROLES:
        pod = pod_specs(rendered)[role]
        (container,) = pod["containers"]
        assert {"livenessProbe", "startupProbe"} <= set(container)
        keys = {each["topologyKey"] for each in pod["topologySpreadConstraints"]}
        assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        selector = rendered["PodDisruptionBudget", role]["spec"]["selector"]
        assert selector == rendered["Deployment", role]["spec"]["selector"]


def test_the_tables_are_made_before_the_release(helm: str) -> None:
    """The hook needs nothing that the release makes."""
    job = manifests(helm=helm)["Job", "migrate"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    pod = job["spec"]["template"]["spec"]
    assert "serviceAccountName" not in pod
    assert "configMapRef" not in str(pod)


FORBIDDEN = [
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "127.0.0.1",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
]
FORBIDDEN6 = ["::1", "fd00:ec2::254", "fe80::1", "64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:10.0.0.1", "::10.0.0.1"]


@pytest.mark.parametrize("address", [*FORBIDDEN, *FORBIDDEN6])
@pytest.mark.parametrize("role", ["workers", "deliveries"])
def test_the_firewall_blocks_private_addresses(helm: str, role: str, address: str) -> None:
    """The policies of those that reach the internet leave them out."""
    blocks = [peer["ipBlock"] for peer in _egress(helm, role)[-1]["to"]]
    assert not any(_allows(block, address) for block in blocks)
    assert any(_allows(block, "93.184.215.14") for block in blocks)
    assert any(_allows(block, "2606:2800:21f::1") for block in blocks)


@pytest.mark.parametrize("role", ["web", "sweeper", "migrate"])
def test_the_others_reach_only_the_servers(helm: str, role: str) -> None:
    """They reach DNS and the configured services, and nothing else."""
    names, services = _egress(helm, role)
    assert names == {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    assert services["to"] == [{"ipBlock": {"cidr": "10.0.0.0/24"}}]


def _egress(helm: str, role: str) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = manifests(helm=helm)["NetworkPolicy", role]["spec"]["egress"]
    return rules


def _allows(block: dict[str, Any], address: str) -> bool:
    found = ipaddress.ip_address(address)
    inside = [found in ipaddress.ip_network(cidr) for cidr in (block["cidr"], *block["except"])]
    return inside[0] and not any(inside[1:])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "secretName="], "Set secretName"),
        (["--set", "networkPolicy.services=null"], "Set networkPolicy.services"),
        (["--set", "workers.autoscaling.kind=cpu"], "none, hpa or keda"),
        (["--set", "ingress.enabled=true"], "Set ingress.host"),
    ],
)
def test_a_value_that_is_missing_is_named(helm: str, arguments: list[str], message: str) -> None:
    """Nothing is installed that could not run."""
    done = helm_chart.render("--values", str(LEAST), *arguments, helm=helm)
    assert done.returncode
    assert message in done.stderr


@pytest.mark.parametrize("kind", ["hpa", "keda"])
def test_a_scaler_owns_the_number_of_workers(helm: str, kind: str) -> None:
    """With a number of its own, the Deployment would undo what the scaler does at each upgrade."""
    rendered = manifests("--set", f"workers.autoscaling.kind={kind}", helm=helm)
    assert "replicas" not in rendered["Deployment", "workers"]["spec"]
    assert rendered["Deployment", "deliveries"]["spec"]["replicas"] == 2


def test_keda_counts_the_pending_images(helm: str) -> None:
    """Its query counts the images of open requests that have not ended, as the metric `imgproc_pending_images` does."""
    rendered = manifests("--set", "workers.autoscaling.kind=keda", helm=helm)
    query = sa.text(rendered["ScaledObject", "workers"]["spec"]["triggers"][0]["metadata"]["query"])
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        assert session.execute(query).scalar_one() == 0
        for number, status in enumerate(RequestStatus):
            session.add(_request(number, status))
        session.commit()
        counted = session.execute(query).scalar_one()
    engine.dispose()
    assert counted == (len(RequestStatus) - len(ENDED)) * (100 - 50 - 5 - 1)


def _request(number: int, status: RequestStatus) -> ProcessingRequest:
    counts = {"images_total": 100, "images_completed": 50, "images_failed": 5, "images_cancelled": 1}
    texts = {"filename": "a.csv", "input_key": "a", "options": {}, "fingerprint": ""}
    return ProcessingRequest(id=f"00000000-0000-0000-0000-{number:012}", status=status, **counts, **texts)

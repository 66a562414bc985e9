//! Faults of another federation that the node trusts.

use std::fs;

use super::super::support::{Running, Town, meridian, until};
use super::*;

#[test]
fn the_faults_of_another_federation_are_found() {
    let (patient, berlin) = (Patient::new(), Town::founded("berlin", &["tempelhof"]));
    let mesh = &patient.town.mesh;
    // Each trusts the other's nodes: whoever is trusted by nobody is let in nowhere.
    for (of, by) in [(&berlin, patient.folder.clone()), (&patient.town, berlin.mesh.folder("tempelhof"))] {
        let printed = of.run(&["authority", "anchors", "--authority", &of.url()]);
        let command: Vec<&str> = printed.ok().split_whitespace().skip(1).collect();
        Running::start(meridian().args(command).current_dir(by)).end().ok();
    }
    berlin.mesh.start_each();
    let ca = patient.at("berlin-ca.pem");
    mesh.stop("lfb");
    mesh.start("lfb");
    until("nothing is to be said", || patient.complaints().is_empty().then_some(()));

    let (up, down) = (|| berlin.mesh.start("tempelhof"), || berlin.mesh.stop("tempelhof"));
    patient.finds("warning", "federation.members", &["tempelhof can't be reached", "operator"], down, up);
    let (up, down) = (|| berlin.start_authority(), || berlin.kill_authority());
    patient.finds("warning", "federation.authority", &["berlin", "node.toml"], down, up);
    patient.finds_in("state/membership-berlin", "fault", "federation.membership", &["node trust berlin"], write("x"));
    patient.finds_in("berlin-ca.pem", "fault", "federation.root", &["berlin-ca.pem", "node trust"], write("no root"));
    // London's root under Berlin's name.
    patient.finds_in("berlin-ca.pem", "fault", "federation.root", &["berlin", "fingerprint", "node trust"], |path| {
        fs::copy(patient.at("ca.pem"), path).unwrap();
    });
    // Another authority of that name: what answers has not the root that was compared.
    let other = Town::founded("berlin", &[]);
    let kept = fs::read(&ca).unwrap();
    let exchanged = || fs::write(&ca, fs::read(other.folder().join("ca.pem")).unwrap()).unwrap();
    let words = ["has another root", "compare the fingerprint", "node trust"];
    patient.finds("fault", "federation.root", &words, exchanged, || fs::write(&ca, &kept).unwrap());
}

//! The attacks suite: each attack of the list by name, through the front door of a node, with what it gains today.
//!
//! | where | what |
//! | --- | --- |
//! | `list` | the attacks, each with the tests that try it |
//! | `town`, `attacker` | rows that the tests know, and whoever asks for them |
//! | `reads`, `thresholds`, `differencing`, `noise`, `history` | attacks on figures |
//! | `federated` | attacks on what is made of several bodies' figures |
//! | `errors`, `metadata` | attacks on what is said beside them |
//! | `bypass`, `identity`, `exhaustion`, `log` | attacks on the node |
//! | `hostile` | attacks of a member on what all say together: agreements and registers |

mod attacker;
mod bypass;
mod differencing;
mod errors;
mod exhaustion;
mod federated;
mod history;
mod hostile;
mod identity;
mod list;
mod log;
mod metadata;
mod noise;
mod reads;
mod thresholds;
mod town;

use std::fs;
use std::sync::OnceLock;

use crate::support::Mesh;

/// The brigade, Camden and LODA with the datasets of all attacks. What an attack leaves behind, it leaves in datasets of
/// its own.
fn mesh() -> &'static Mesh {
    static MESH: OnceLock<Mesh> = OnceLock::new();
    MESH.get_or_init(|| {
        let mesh = Mesh::prepared();
        let of_lfb = [
            bypass::datasets(),
            differencing::datasets(),
            errors::datasets(),
            history::datasets(),
            log::datasets(),
            metadata::datasets(),
            noise::datasets(),
            reads::datasets(),
            thresholds::datasets(),
        ];
        let of_camden = [differencing::of_camden(), metadata::of_camden()];
        of_lfb.iter().flatten().for_each(|dataset| dataset.write(&mesh, "lfb"));
        of_camden.iter().flatten().for_each(|dataset| dataset.write(&mesh, "camden"));
        // The same noise in every run, so that what is measured is.
        for (body, secret) in [("lfb", "5eed"), ("camden", "cafe")] {
            fs::write(mesh.folder(body).join("state/secret.key"), secret.repeat(16)).unwrap();
        }
        errors::agree(&mesh);
        bypass::agree(&mesh);
        for body in ["lfb", "camden", "loda"] {
            mesh.start(body);
        }
        mesh
    })
}

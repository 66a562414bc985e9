//! Allowances through the front door: what is spent is spent for all analysts of an agreement, and over restarts.

use super::support::PURPOSE;
use super::terms::Brigade;

const ASHA: &str = "spiffe://london/body/loda/analyst/asha";
const BOLA: &str = "spiffe://london/body/loda/analyst/bola";
const BY_YEAR: &str = "SELECT year, COUNT(*) AS n FROM lfb.incidents GROUP BY year";

/// One cell.
fn of_year(year: i32) -> String {
    format!("SELECT COUNT(*) AS n FROM lfb.incidents WHERE year = {year}")
}

#[test]
fn an_agreement_gives_so_many_cells_and_no_more() {
    let brigade = Brigade::up(4);
    let mut loda = brigade.loda();
    let cells = loda.remote_for(BY_YEAR, ASHA, PURPOSE).unwrap().rows();
    assert!(cells > 10);
    let allowance = cells + 4;
    // The brigade's operator is told that nothing stands against asking without end, and what to write.
    let warned = || {
        let log = brigade.mesh.log("lfb");
        let line = |line: &&str| line.contains("may be asked without end") && line.contains("fire-risk-2026");
        log.lines().filter(line).filter(|line| line.contains("allowance = 500")).count()
    };
    let before = warned();
    assert!(before > 0, "{}", brigade.mesh.log("lfb"));
    brigade.amend(
        "agreements/fire-risk-2026.toml",
        "form = \"statistics\"",
        &format!("form = \"statistics\"\nallowance = {allowance}"),
    );
    assert_eq!(warned(), before);
    // Both analysts ask again what is charged already, and it costs nothing.
    for analyst in [ASHA, BOLA, ASHA] {
        assert_eq!(loda.remote_for(BY_YEAR, analyst, PURPOSE).unwrap().rows(), cells);
    }
    // Four are left, for both together.
    loda.remote_for(&of_year(2019), ASHA, PURPOSE).unwrap();
    loda.remote_for(&of_year(2020), BOLA, PURPOSE).unwrap();
    // An answer of more cells than are left ends with the last of them, and what is over is as if it did not pass.
    let by_month = "SELECT month, COUNT(*) AS n FROM lfb.incidents GROUP BY month";
    let shown = loda.remote_for(by_month, ASHA, PURPOSE).unwrap();
    assert_eq!(shown.batches.iter().map(|batch| batch.num_rows() - batch.column(1).null_count()).sum::<usize>(), 2);
    // That is so after a restart.
    brigade.mesh.stop("lfb");
    brigade.mesh.start("lfb");
    let mut loda = brigade.loda();
    let words = format!("fire-risk-2026 gives {allowance} cells of london.lfb.incidents, and all of them have left");
    for (analyst, sql) in [(ASHA, of_year(2022)), (BOLA, of_year(2019)), (ASHA, BY_YEAR.to_owned())] {
        let status = loda.remote_for(&sql, analyst, PURPOSE).unwrap_err();
        assert!(status.message().contains(&words), "{sql}: {status}");
    }
    // The owner raises it while the node runs.
    let (from, to) = (format!("allowance = {allowance}"), format!("allowance = {}", allowance + 1));
    brigade.amend("agreements/fire-risk-2026.toml", &from, &to);
    loda.remote_for(&of_year(2022), ASHA, PURPOSE).unwrap();
    let status = loda.remote_for(by_month, ASHA, PURPOSE).unwrap_err();
    assert!(status.message().contains("all of them have left"), "{status}");
}

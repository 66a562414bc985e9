//! Folders of files as one source: files of one layout, columns from folders' names, and changes that are noticed.

use super::*;

struct Folder {
    folder: TempDir,
    spec: SourceSpec,
}

impl Folder {
    fn of(kind: SourceKind, columns: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dataset = Arc::new(dataset(Form::Statistics, columns));
        let spec = SourceSpec::new(dataset, kind, folder.path().to_path_buf(), None);
        Self { folder, spec }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn source(self) -> Source {
        Source { folder: self.folder, spec: self.spec }
    }
}

fn csv_folder(columns: &[&str]) -> Folder {
    Folder::of(SourceKind::Csv(CsvFormat::default()), columns)
}

#[tokio::test]
async fn all_files_of_a_folder_are_one_source_with_the_columns_of_its_folders() {
    let folder = csv_folder(&["name varchar", "year integer", "month varchar"]);
    folder.write("year=2024/month=02/b.csv", "name\nbob\ncem\n");
    folder.write("year=2024/month=01/a.CSV", "name\nann\n");
    folder.write("year=2025/month=01/c.csv", "name\ndee\n");
    folder.write("year=2025/month=01/notes.txt", "nothing");
    folder.write("year=2025/month=01/~$c.csv", "a lock");
    folder.write("year=2025/month=01/.hidden.csv", "nothing");
    let found = rows(&folder.source()).await;
    assert_rows(&found, &["|ann|2024|01|", "|bob|2024|02|", "|cem|2024|02|", "|dee|2025|01|"]);
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_found_in_its_file() {
    let folder = csv_folder(&["name varchar", "pay integer"]);
    folder.write("a.csv", "name,pay\nann,1\n");
    folder.write("deep/b.csv", "name,pay\nbob,2\ncem,4x7\n");
    let told = refused(&folder.source(), &["4x7"]).await;
    assert!(told.starts_with("dataset people: deep/b.csv line 3: column pay can't be computed as integer"), "{told}");
}

#[tokio::test]
async fn files_of_another_layout_are_refused_by_name() {
    let folder = csv_folder(&["name varchar"]);
    folder.write("a.csv", "name,pay\nann,1\n");
    folder.write("b.csv", "name,wage\nbob,2\n");
    let told = refused(&folder.source(), &["bob"]).await;
    let expected = "dataset people: b.csv can't be read: its heading is another than that of the source's first file from column 2 on";
    assert!(told.starts_with(expected), "{told}");

    let folder = csv_folder(&["name varchar"]);
    folder.write("year=1/a.csv", "name\nann\n");
    folder.write("month=1/a.csv", "name\nann\n");
    assert!(refused(&folder.source(), &[]).await.contains("the folders above it are named for other columns"));

    let folder = csv_folder(&["name varchar"]);
    folder.write("name=1/a.csv", "name\nann\n");
    assert!(refused(&folder.source(), &[]).await.contains("a folder is named for the column name"));

    let folder = csv_folder(&["name varchar"]);
    folder.write("a.txt", "name\nann\n");
    let told = refused(&folder.source(), &[]).await;
    assert!(told.contains("the folder holds no file that ends in .csv or .csv.gz"), "{told}");
}

#[tokio::test]
async fn a_file_that_comes_changes_or_goes_is_noticed() {
    let folder = csv_folder(&["name varchar"]);
    folder.write("2024/a.csv", "name\nann\n");
    let loaded = async || load(&folder.spec, &context(), now()).await.unwrap();
    let stale = |loaded: &Loaded| loaded.is_stale(&RightsSpec::default(), now());
    let first = loaded().await;
    folder.write("2024/notes.txt", "no data");
    assert!(!stale(&first));
    folder.write("2025/b.csv", "name\nbob\n");
    assert!(stale(&first));
    let second = loaded().await;
    assert_eq!((first.rows, second.rows, stale(&second)), (1, 2, false));
    folder.write("2024/a.csv", "name\nann\ncem\n");
    assert!(stale(&second));
    let third = loaded().await;
    assert_eq!(third.rows, 3);
    fs::remove_file(folder.folder.path().join("2025/b.csv")).unwrap();
    assert!(stale(&third));
}

#[tokio::test]
async fn json_lines_stand_in_folders_too() {
    let folder = Folder::of(SourceKind::JsonLines, &["name varchar", "year integer"]);
    folder.write("year=2024/a.jsonl", "{\"name\": \"ann\"}\n");
    folder.write("year=2025/b.json", "[{\"name\": \"bob\"}]");
    assert_rows(&rows(&folder.source()).await, &["|ann|2024|", "|bob|2025|"]);
}

#[tokio::test]
async fn folders_of_parquet_give_columns_by_which_files_are_left_unread() {
    let folder = tempfile::tempdir().unwrap();
    let numbers = |from: i64| -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 10));
        RecordBatch::try_from_iter_with_nullable([("n", column, true)]).unwrap()
    };
    let path = |name: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    super::parquet::write_parquet(&path("year=2024/area=St John's 100%/a.parquet"), &numbers(0));
    super::parquet::write_parquet(&path("year=2025/area=Ealing/a.parquet"), &numbers(100));
    super::parquet::write_parquet(&path("_delta_log/checkpoint.parquet"), &numbers(900));
    let columns = Arc::new(dataset(Form::Rows, &["n bigint", "area varchar", "year integer"]));
    let spec = SourceSpec::new(columns, SourceKind::Parquet, folder.path().to_path_buf(), None);
    let loaded = load(&spec, &context(), now()).await.unwrap();
    assert_eq!(loaded.rows, 20);
    let frame = context().execute_logical_plan(loaded.plan).await.unwrap();
    let (col, lit) = (datafusion::prelude::col, datafusion::prelude::lit::<&str>);
    for (filter, rows, kept, left) in [
        (col("area").eq(lit("St John's 100%")), 10, "2024", "2025"),
        (col("year").gt(datafusion::prelude::lit(2024)), 10, "2025", "2024"),
    ] {
        let filtered = frame.clone().filter(filter).unwrap();
        let plan = filtered.clone().explain(false, false).unwrap().collect().await.unwrap();
        let plan = pretty_format_batches(&plan).unwrap().to_string();
        assert!(plan.contains(&format!("year={kept}")) && !plan.contains(&format!("year={left}")), "{plan}");
        assert_eq!(filtered.count().await.unwrap(), rows);
    }
    super::parquet::write_parquet(&path("loose.parquet"), &numbers(0));
    let found = load(&spec, &context(), now()).await.unwrap_err().to_string();
    assert!(found.contains("named for other columns"), "{found}");
}

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

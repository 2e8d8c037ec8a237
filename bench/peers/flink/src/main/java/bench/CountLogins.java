package bench;

import java.util.Arrays;
import java.util.stream.Collectors;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/**
 * The peer: counts logins by the values of some fields in Flink SQL, on a mini cluster in this process: mini-batches, two-phase
 * aggregation, an exactly-once sink. Everything comes from the environment.
 */
public final class CountLogins {
    public static void main(String[] arguments) throws Exception {
        String[] fields = setting("DIMENSIONS", "locale,device_type,app_version").split(",");
        int parallelism = Integer.parseInt(setting("THREADS", "2"));
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(parallelism, configuration(parallelism));
        StreamTableEnvironment tables = StreamTableEnvironment.create(environment);
        tables.executeSql(source(fields));
        tables.executeSql(sink());
        tables.executeSql(counts(fields)).await();
    }

    private static Configuration configuration(int parallelism) {
        Configuration configuration = new Configuration();
        configuration.setString("parallelism.default", Integer.toString(parallelism));
        configuration.setString("taskmanager.numberOfTaskSlots", Integer.toString(parallelism));
        configuration.setString("taskmanager.memory.managed.size", "512m");
        configuration.setString("taskmanager.memory.network.max", "128m");
        configuration.setString("taskmanager.memory.network.min", "128m");
        configuration.setString("pipeline.object-reuse", "true");
        configuration.setString("state.backend.type", setting("STATE_BACKEND", "rocksdb"));
        configuration.setString("execution.checkpointing.interval", setting("CHECKPOINT_INTERVAL", "1 s"));
        configuration.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
        configuration.setString("execution.checkpointing.incremental", "true");
        configuration.setString("execution.checkpointing.dir", "file://" + setting("STATE_DIR", "/tmp/flink") + "/checkpoints");
        configuration.setString("io.tmp.dirs", setting("STATE_DIR", "/tmp/flink"));
        configuration.setString("table.exec.mini-batch.enabled", "true");
        configuration.setString("table.exec.mini-batch.allow-latency", setting("MINI_BATCH_LATENCY", "500 ms"));
        configuration.setString("table.exec.mini-batch.size", "100000");
        configuration.setString("table.optimizer.agg-phase-strategy", "TWO_PHASE");
        return configuration;
    }

    private static String source(String[] fields) {
        String columns = Arrays.stream(fields).map(field -> "`" + field + "` STRING").collect(Collectors.joining(", "));
        return "CREATE TABLE logins (" + columns + ") WITH ("
            + "'connector' = 'kafka', 'topic' = '" + setting("INPUT_TOPIC", "user-login") + "', "
            + "'properties.bootstrap.servers' = '" + setting("KAFKA_BROKERS", "localhost:9092") + "', "
            + "'properties.group.id' = '" + setting("APP_ID", "login-stats") + "', "
            + "'properties.isolation.level' = 'read_committed', "
            + "'properties.max.poll.records' = '10000', 'properties.max.partition.fetch.bytes' = '4194304', "
            + "'scan.startup.mode' = 'earliest-offset', 'format' = 'json', 'json.ignore-parse-errors' = 'true')";
    }

    private static String sink() {
        return "CREATE TABLE counts (k STRING, n BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ("
            + "'connector' = 'upsert-kafka', 'topic' = '" + setting("OUTPUT_TOPIC", "login-stats") + "', "
            + "'properties.bootstrap.servers' = '" + setting("KAFKA_BROKERS", "localhost:9092") + "', "
            + "'properties.transaction.timeout.ms' = '600000', 'properties.linger.ms' = '20', "
            + "'key.format' = 'raw', 'value.format' = 'json', 'value.fields-include' = 'EXCEPT_KEY', "
            + "'sink.delivery-guarantee' = 'exactly-once', "
            + "'sink.transactional-id-prefix' = '" + setting("APP_ID", "login-stats") + "')";
    }

    /** A key of the table is e.g. `locale:RU`; a value that is missing, null or empty is "unknown". */
    private static String counts(String[] fields) {
        String keys = Arrays.stream(fields)
            .map(field -> "SELECT '" + field + ":' || COALESCE(NULLIF(REPLACE(REPLACE(REPLACE(`" + field
                + "`, '%', '%25'), ':', '%3A'), '+', '%2B'), ''), 'unknown') AS k FROM logins")
            .collect(Collectors.joining(" UNION ALL "));
        return "INSERT INTO counts SELECT k, COUNT(*) AS n FROM (" + keys + ") GROUP BY k";
    }

    private static String setting(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }
}

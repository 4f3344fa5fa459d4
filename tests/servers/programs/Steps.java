import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/*
 * An HTTP server whose work is worth compiling, with a pool of threads, timers, and many threads that wait.
 *
 *	/work?number=N	a checksum that takes a while, and follows from N alone
 *	/state		"requests ticks waiters": what was counted since the start, and threads
 */
public class Steps {
	static final int WAITERS = 100;
	static final AtomicLong requests = new AtomicLong();
	static final AtomicLong ticks = new AtomicLong();
	static final Map<Integer, Long> seen = new ConcurrentHashMap<>();
	static volatile boolean ended;

	/* Objects, strings, maps and arithmetic: what an interpreter is slow at. */
	static long work(int number) {
		Map<String, Integer> words = new HashMap<>();
		long sum = number;
		for (int i = 0; i < 300; i++) {
			String word = "word" + (number * 31 + i) % 97;
			words.merge(word, i, Integer::sum);
			sum = sum * 6364136223846793005L + word.hashCode();
		}
		for (int value : words.values())
			sum ^= (long) value * value;
		return sum;
	}

	static Map<String, String> query(HttpExchange exchange) {
		Map<String, String> values = new HashMap<>();
		String text = exchange.getRequestURI().getQuery();
		for (String part : text == null ? new String[0] : text.split("&"))
			values.put(part.substring(0, part.indexOf('=')), part.substring(part.indexOf('=') + 1));
		return values;
	}

	static void answer(HttpExchange exchange, String text) throws IOException {
		byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
		exchange.sendResponseHeaders(200, bytes.length);
		exchange.getResponseBody().write(bytes);
		exchange.close();
	}

	static void handleWork(HttpExchange exchange) throws IOException {
		int number = Integer.parseInt(query(exchange).get("number"));
		long sum = work(number);
		requests.incrementAndGet();
		Long before = seen.put(number % 5000, sum);
		if (before != null && work(number) != sum)
			throw new IllegalStateException("another result");
		answer(exchange, Long.toString(sum) + " ");
	}

	static void wait_(int index) {
		while (!ended)
			LockSupport.parkNanos(20_000_000L + index * 100_000L);
	}

	public static void main(String[] args) throws Exception {
		HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 8080), 100);
		server.createContext("/work", Steps::handleWork);
		server.createContext("/state", exchange -> answer(exchange, requests + " " + ticks + " "
			+ Thread.getAllStackTraces().keySet().stream().filter(t -> t.getName().startsWith("waiter")).count() + "\n"));
		server.setExecutor(Executors.newFixedThreadPool(8));
		server.start();
		for (int i = 0; i < WAITERS; i++) {
			int index = i;
			new Thread(() -> wait_(index), "waiter" + i).start();
		}
		new Timer("timer", true).scheduleAtFixedRate(new TimerTask() {
			public void run() { ticks.incrementAndGet(); }
		}, 10, 10);
		System.out.println("ready");
		CountDownLatch end = new CountDownLatch(1);
		Runtime.getRuntime().addShutdownHook(new Thread(() -> {
			ended = true;
			System.out.println("end " + requests);
			end.countDown();
		}));
		end.await();
	}
}
